"use strict";
(function () {
  var data = JSON.parse(document.getElementById("data").textContent);
  var byId = new Map(data.items.map(function (item) { return [item.id, item]; }));
  var rows = new Map();
  document.querySelectorAll("#items tbody tr").forEach(function (row) { rows.set(row.id, row); });
  var words = new Map(data.items.map(function (item) {
    var parts = [item.id, item.title, item.text, item.where].concat(item.up, item.down);
    item.facts.forEach(function (fact) { parts.push(fact[1]); });
    item.code.concat(item.tests).forEach(function (place) { parts.push(place.name, place.where); });
    return [item.id, parts.join(" ").toLowerCase()];
  }));
  var search = document.getElementById("search");
  var kind = document.getElementById("kind");
  var status = document.getElementById("status");
  var count = document.getElementById("count");
  var panel = document.getElementById("panel");
  var chosen = null;

  function make(name, text, className) {
    var element = document.createElement(name);
    if (text !== undefined && text !== null) { element.textContent = text; }
    if (className) { element.className = className; }
    return element;
  }

  function filter() {
    var wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    var shown = 0;
    data.items.forEach(function (item) {
      var text = words.get(item.id);
      var fits = (!kind.value || item.kind === kind.value) && (!status.value || item.status === status.value) &&
        wanted.every(function (word) { return text.indexOf(word) >= 0; });
      rows.get(item.id).hidden = !fits;
      if (fits) { shown += 1; }
    });
    count.textContent = shown + " of " + data.items.length;
  }

  function mark(state, label) { return make("span", label || data.statuses[state] || state, "mark " + state); }

  function linkList(title, ids) {
    if (!ids.length) { return; }
    panel.append(make("h4", title));
    var list = make("ul");
    ids.forEach(function (id) {
      var item = byId.get(id);
      var line = make("li");
      var link = make("a", id);
      link.href = "#" + id;
      line.append(link, make("span", item.title), mark(item.status));
      list.append(line);
    });
    panel.append(list);
  }

  function placeList(title, places) {
    if (!places.length) { return; }
    panel.append(make("h4", title));
    var list = make("ul");
    places.forEach(function (place) {
      var line = make("li");
      line.append(make("span", place.where, "path"), make("span", place.name.split(".").slice(-1)[0]));
      if (place.outcome) { line.append(mark(place.outcome === "passed" || place.outcome === "failed" ? place.outcome : "open", place.outcome)); }
      list.append(line);
    });
    panel.append(list);
  }

  function show(id) {
    var item = byId.get(id);
    if (!item) { return false; }
    if (chosen) { rows.get(chosen).removeAttribute("aria-selected"); }
    chosen = id;
    rows.get(id).setAttribute("aria-selected", "true");
    panel.textContent = "";
    var top = make("p", null, "small");
    top.append(make("span", item.id + " · " + data.kinds[item.kind] + "  ", "soft"), mark(item.status));
    panel.append(top, make("h3", item.title), make("p", item.text));
    var facts = make("dl");
    item.facts.forEach(function (fact) { facts.append(make("dt", fact[0]), make("dd", fact[1])); });
    facts.append(make("dt", "Written in"), make("dd", item.where, "path"));
    panel.append(facts);
    linkList("Up: why it is there", item.up);
    linkList("Down: how it is met and shown", item.down);
    placeList("Tests", item.tests);
    placeList("Code", item.code);
    if (item.entries.length) {
      panel.append(make("h4", "Recorded in the audit log"));
      var list = make("ul");
      item.entries.forEach(function (index) {
        var line = make("li");
        var proof = make("a", "entry " + index);
        proof.href = "audit/proofs/" + index + ".tlog-proof";
        line.append(proof, make("span", data.entries[index] || ""));
        list.append(line);
      });
      panel.append(list);
    }
    panel.scrollTop = 0;
    return true;
  }

  function follow(event) {
    var id = location.hash.slice(1);
    if (!show(id)) { return; }
    if (rows.get(id).hidden) { search.value = ""; kind.value = ""; status.value = ""; filter(); }
    if (window.matchMedia("(max-width: 61.99rem)").matches) {
      panel.scrollIntoView({ block: "start" });
    }
  }

  document.documentElement.classList.add("js");
  document.getElementById("filters").addEventListener("submit", function (event) { event.preventDefault(); });
  search.addEventListener("input", filter);
  kind.addEventListener("change", filter);
  status.addEventListener("change", filter);
  document.getElementById("items").addEventListener("click", function (event) {
    var row = event.target.closest("tbody tr");
    if (!row) { return; }
    event.preventDefault();
    if (location.hash === "#" + row.id) { show(row.id); } else { history.pushState(null, "", "#" + row.id); follow(event); }
  });
  panel.addEventListener("click", function (event) {
    var link = event.target.closest("a[href^='#']");
    if (!link) { return; }
    event.preventDefault();
    history.pushState(null, "", link.getAttribute("href"));
    follow(event);
    if (!window.matchMedia("(max-width: 61.99rem)").matches) { rows.get(chosen).scrollIntoView({ block: "nearest" }); }
    panel.focus({ preventScroll: true });
  });
  window.addEventListener("popstate", follow);
  // After loading, the browser scrolls to the row of the hash by itself; where the panel stands below, it is what was meant.
  window.addEventListener("load", function () { window.setTimeout(function () { follow(null); }, 0); });
  filter();
  follow(null);
  if (!chosen && data.items.length) {
    var first = data.items.find(function (item) { return item.kind === "risk"; }) || data.items[0];
    show(first.id);
  }
}());
