"use strict";
/* Searches and filters the items of data/items.js. Rows are made as they come into sight; every text is set as text. */
(function () {
  var STEP = 40;
  var FIELDS = ["kind", "status", "standard", "point"];
  var ID = 0, ADDRESS = 1, KIND = 2, TITLE = 3, STATUS = 4, FLAGS = 5, STANDARDS = 6, UP = 7, DOWN = 8, SCENARIOS = 9,
    TESTS = 10, CODE = 11, PASSED = 12, FAILED = 13, OTHER = 14, WORDS = 15, FILES = 16, UP_BY = 17, DOWN_BY = 18;
  var POINTS = { suspect: 1, gap: 2, justified: 4 };
  var SIGNS = { passed: "✓", failed: "✕", untested: "○", stale: "↻", acceptable: "✓", unacceptable: "✕" };
  var SHADES = { passed: "good", acceptable: "good", failed: "bad", unacceptable: "bad", untested: "warn", stale: "warn" };
  var FEW = 4;

  var data = window.minivessItems;
  var items = data.items;
  var found = items.map(function (item) {
    return (item[ID] + " " + item[TITLE]).toLowerCase() + " " + item[WORDS];
  });
  var byId = function (name) { return document.getElementById(name); };
  var form = byId("filters"), search = byId("q"), count = byId("count"), rows = byId("rows"), more = byId("more");
  var table = byId("table");
  var sort = "";
  var shown = [], drawn = 0, written = "";

  function make(name, text, className) {
    var element = document.createElement(name);
    if (text) { element.textContent = text.replace(/`/g, ""); }
    if (className) { element.className = className; }
    return element;
  }

  function grouped(number) { return String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f"); }

  function link(item) {
    var element = make("a", item[ID], "id");
    element.href = "items/" + item[ADDRESS];
    return element;
  }

  function idList(numbers, relations, label) {
    var cell = make("td", "", "ids");
    cell.dataset.label = label;
    numbers.slice(0, FEW).forEach(function (number, place) {
      var other = link(items[number]);
      other.title = items[number][TITLE];
      if (!place || relations[place] !== relations[place - 1]) {
        cell.append(make("span", data.relations[relations[place]], "relation small"), " ");
      }
      cell.append(other, " ");
    });
    if (numbers.length > FEW) { cell.append(make("span", "+" + grouped(numbers.length - FEW), "soft small")); }
    return cell;
  }

  function counted(number, one, many) { return number ? grouped(number) + " " + (number === 1 ? one : many) : ""; }

  function evidence(item) {
    var cell = make("td", "", "evidence");
    cell.dataset.label = "evidence";
    var parts = [
      item[FAILED] ? item[FAILED] + " failed" : "",
      item[PASSED] ? item[PASSED] + " passed" : "",
      item[OTHER] ? item[OTHER] + " not run" : "",
      item[PASSED] + item[FAILED] + item[OTHER] ? "" : counted(item[TESTS] + item[SCENARIOS], "test", "tests"),
      item[CODE] ? item[CODE] + " code" : "",
      counted(item[FILES], "file", "files")
    ].filter(Boolean);
    cell.textContent = parts.join(", ");
    return cell;
  }

  function mark(status) {
    var name = data.statuses[status][0];
    var element = make("span", (SIGNS[name] || "·") + " " + data.statuses[status][1], "mark " + (SHADES[name] || "plain"));
    return element;
  }

  function row(item, index) {
    var line = make("tr");
    line.setAttribute("aria-rowindex", index + 2);
    var head = make("th");
    head.scope = "row";
    head.append(link(item));
    var title = make("td");
    var words = make("span", item[TITLE]);
    words.dir = "auto";
    title.append(words, " ", make("span", data.kinds[item[KIND]][1], "kind"));
    var status = make("td");
    status.append(mark(item[STATUS]));
    if (item[FLAGS] & 1) { status.append(" ", make("span", "suspect", "mark suspect")); }
    line.append(head, title, idList(item[UP], item[UP_BY], "up"), idList(item[DOWN], item[DOWN_BY], "down"), evidence(item), status);
    return line;
  }

  function draw(number) {
    var until = Math.min(shown.length, drawn + number);
    var lines = [];
    for (; drawn < until; drawn += 1) { lines.push(row(items[shown[drawn]], drawn)); }
    rows.append.apply(rows, lines);
    more.hidden = drawn >= shown.length;
  }

  function numberOf(list, name) {
    return list.findIndex(function (entry) { return entry[0] === name; });
  }

  function matches() {
    var words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    var kind = byId("kind").value ? numberOf(data.kinds, byId("kind").value) : -1;
    var status = byId("status").value ? numberOf(data.statuses, byId("status").value) : -1;
    var standard = byId("standard").value ? numberOf(data.standards, byId("standard").value) : -1;
    var flag = POINTS[byId("point").value] || 0;
    var result = [];
    for (var number = 0; number < items.length; number += 1) {
      var item = items[number];
      if ((kind < 0 || item[KIND] === kind) && (status < 0 || item[STATUS] === status) &&
          (standard < 0 || item[STANDARDS].indexOf(standard) >= 0) && (!flag || item[FLAGS] & flag) &&
          words.every(function (word) { return found[number].indexOf(word) >= 0; })) {
        result.push(number);
      }
    }
    return result;
  }

  function compare(one, other) {
    var field = { id: ID, title: TITLE, status: STATUS }[sort.replace("-", "")];
    var a = items[one][field], b = items[other][field];
    var order = typeof a === "number" ? a - b : a < b ? -1 : a > b ? 1 : 0;
    return (sort[0] === "-" ? -order : order) || one - other;
  }

  function remember() {
    var state = [];
    FIELDS.forEach(function (name) {
      if (byId(name).value) { state.push(name + "=" + encodeURIComponent(byId(name).value)); }
    });
    if (search.value.trim()) { state.push("q=" + encodeURIComponent(search.value.trim())); }
    if (sort) { state.push("sort=" + sort); }
    written = state.join("&");
    if (written !== location.hash.slice(1)) { history.replaceState(null, "", "#" + written); }
  }

  function filter() {
    shown = matches();
    if (sort) { shown.sort(compare); }
    drawn = 0;
    rows.textContent = "";
    draw(STEP);
    table.setAttribute("aria-rowcount", shown.length + 1);
    count.textContent = shown.length === items.length ? "All " + grouped(items.length) + " items" :
      shown.length ? grouped(shown.length) + " of " + grouped(items.length) + " items" :
      "None of " + grouped(items.length) + " items. Esc in the search box clears every filter.";
    document.querySelectorAll("[data-sort]").forEach(function (button) {
      var name = button.dataset.sort, head = button.parentElement;
      if (sort.replace("-", "") === name) {
        head.setAttribute("aria-sort", sort[0] === "-" ? "descending" : "ascending");
      } else { head.removeAttribute("aria-sort"); }
    });
    remember();
  }

  function recall() {
    var state = new Map();
    location.hash.slice(1).split("&").forEach(function (part) {
      var cut = part.indexOf("=");
      if (cut < 1) { return; }
      try { state.set(part.slice(0, cut), decodeURIComponent(part.slice(cut + 1))); } catch (error) { /* no escape: not ours */ }
    });
    FIELDS.forEach(function (name) {
      byId(name).value = state.get(name) || "";
      if (byId(name).selectedIndex < 0) { byId(name).selectedIndex = 0; }
    });
    search.value = state.get("q") || "";
    sort = /^-?(id|title|status)$/.test(state.get("sort") || "") ? state.get("sort") : "";
  }

  function option(select, value, words) {
    var element = make("option", words);
    element.value = value;
    select.append(element);
  }

  function move(step) {
    var line = document.activeElement.closest && document.activeElement.closest("#rows tr");
    var next = line ? (step > 0 ? line.nextElementSibling : line.previousElementSibling) : rows.firstElementChild;
    if (line && step > 0 && !next && drawn < shown.length) { draw(STEP); next = line.nextElementSibling; }
    if (next) {
      next.querySelector("a").focus({ preventScroll: true });
      next.scrollIntoView({ block: "nearest" });
    } else if (line && step < 0) { search.focus(); }
  }

  function clear() {
    FIELDS.forEach(function (name) { byId(name).selectedIndex = 0; });
    search.value = "";
    sort = "";
    filter();
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) { return; }
    var place = event.target.tagName;
    var typing = place === "INPUT" || place === "SELECT";
    if (event.key === "Escape" && place !== "SELECT") { clear(); search.focus(); return; }
    if (event.key === "/" && !typing) { event.preventDefault(); search.focus(); search.select(); return; }
    var within = event.target.closest && event.target.closest("#rows");
    if ((event.key === "n" && !typing) || (event.key === "ArrowDown" && (within || event.target === search))) {
      event.preventDefault();
      move(1);
    } else if ((event.key === "p" && !typing) || (event.key === "ArrowUp" && within)) {
      event.preventDefault();
      move(-1);
    }
  }

  data.kinds.forEach(function (kind) { option(byId("kind"), kind[0], kind[2]); });
  data.statuses.forEach(function (status, number) {
    if (items.some(function (item) { return item[STATUS] === number; })) { option(byId("status"), status[0], status[1]); }
  });
  data.standards.forEach(function (entry) { option(byId("standard"), entry[0], entry[0] + " (" + grouped(entry[1]) + ")"); });
  byId("lists").hidden = true;
  [form, count, table, byId("keys")].forEach(function (element) { element.hidden = false; });

  search.addEventListener("input", filter);
  FIELDS.forEach(function (name) { byId(name).addEventListener("change", filter); });
  form.addEventListener("submit", function (event) { event.preventDefault(); move(1); });
  form.addEventListener("reset", function (event) { event.preventDefault(); clear(); });
  document.querySelectorAll("[data-sort]").forEach(function (button) {
    button.addEventListener("click", function () {
      var name = button.dataset.sort;
      sort = sort === name ? "-" + name : sort === "-" + name ? "" : name;
      filter();
    });
  });
  more.firstElementChild.addEventListener("click", function () { draw(STEP); });
  if ("IntersectionObserver" in window) {
    new IntersectionObserver(function (entries) {
      if (entries[0].isIntersecting && drawn < shown.length) { draw(STEP); }
    }, { rootMargin: "1200px" }).observe(more);
  }
  document.addEventListener("keydown", key);
  window.addEventListener("hashchange", function () {
    if (location.hash.slice(1) !== written) { recall(); filter(); }
  });
  window.addEventListener("beforeprint", function () { draw(shown.length); });
  recall();
  filter();
}());
