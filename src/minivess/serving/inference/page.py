"""The service's front page: what it serves and how to ask it, in one file without anything from elsewhere.

The interactive pages that FastAPI brings load their scripts from another host, which a hospital's network does not reach; so
this page takes their place, and `/openapi.json` stays for tools.
"""

from __future__ import annotations

from html import escape

from minivess.records.lengths import shown
from minivess.serving.inference.interface import call_example, has_size, images, rule_words
from minivess.serving.inference.volumes import shape_words
from minivess.workflows.serving.answers import ServedModel

_STYLE = """
:root { color-scheme: light dark; --ink: #1b2733; --soft: #55636f; --line: #d9d4cb; --ground: #fbfaf6; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e1; --soft: #a9b3bc; --line: #3a444d; --ground: #14191e; } }
body { font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); max-width: 46rem;
  margin: 2rem auto; padding: 0 1rem; }
h1, h2 { font-family: Georgia, serif; line-height: 1.2; } .soft, dt { color: var(--soft); }
dl { display: grid; grid-template-columns: minmax(8rem, auto) 1fr; gap: .3rem 1rem; } dd { margin: 0; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: .8rem; border: 1px solid var(--line); } code { font-size: .9rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; } th { font-weight: normal; color: var(--soft); }
td:first-child { width: 4rem; } .name { display: inline-flex; align-items: center; }
.colour { flex: none; width: .8rem; height: .8rem; margin-right: .4rem; border: 1px solid var(--line); }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .6rem; } }
""".strip()


def front_page(model: ServedModel) -> str:
    """The page as HTML. Everything that comes from the project file is escaped."""
    use, task = model.intended_use, model.task
    bounds = {
        f"Size ({'voxels' if len(use.axes) == 3 else 'pixels'})": ", ".join(
            f"{axis} {low} to {high}" for axis, low, high in zip(use.axes, *use.shape, strict=True)
        )
    }
    if has_size(model):
        bounds[f"{'Voxel' if len(use.axes) == 3 else 'Pixel'} size"] = ", ".join(
            f"{axis} {shown(limits, use.unit, between=' to ')}"
            for axis, *limits in zip(use.axes, *use.spacing, strict=True)
        )
    rows = {
        "Device": f"{model.device} {model.version}",
        "Model": model.digest,
        "Images": images(task),
        **bounds,
        "Mask": rule_words(model),
    }
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows.items())
    size = (
        f", and its {'voxel' if len(use.axes) == 3 else 'pixel'} size with its unit where the file does not state it"
        if has_size(model)
        else ""
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(model.device)} – inference</title><style>{_style(model)}</style></head><body>
<h1>{escape(model.device)}</h1>
<p>{escape(model.statement)}</p>
<dl>{facts}</dl>
<h2>Classes</h2>
{_classes(model)}
<h2>Sending an image</h2>
<p><a href="/demo">Try the service with an image</a> in this browser. Or from a program:</p>
<p>Send one {"volume" if len(use.axes) == 3 else "picture"} as NIfTI, TIFF, NRRD, PNG, JPEG, DICOM (a series as one zip
archive) or NumPy <code>.npy</code>, with axes {escape(shape_words(task))}{size}:</p>
<pre><code>{escape(call_example(model))}</code></pre>
<p>The answer contains the mask, the decision, and a receipt that proves the entry in the audit log. Input outside the
bounds above is refused, with reasons and a receipt. Nothing is answered that could not be recorded first.</p>
<dl><dt>GET /v1/model</dt><dd>channels, axes, classes, thresholds and all bounds of the intended use</dd>
<dt>GET /v1/receipts/INDEX</dt><dd>the receipt of an earlier answer</dd>
<dt>GET /v1/health</dt><dd>whether the service is up</dd>
<dt>GET /openapi.json</dt><dd>the whole interface, for tools</dd></dl>
<p class="soft">Callers who have a key send it as <code>Authorization: Bearer KEY</code>. Without keys the service answers this
machine alone.</p>
</body></html>
"""


def _style(model: ServedModel) -> str:
    """The styles, with the colour of each class: attributes with styles are forbidden by the policy of the page."""
    colours = (
        f".of-{one.value} {{ background: {escape(one.colour)}; }}"
        for one in model.task.classes
        if one.colour is not None
    )
    return "\n".join((_STYLE, *colours))


def _classes(model: ServedModel) -> str:
    """The classes of the mask, each with its second mask."""
    rows = []
    for label, threshold in zip(model.task.classes, model.conformal_thresholds, strict=True):
        swatch = "" if label.colour is None else f'<span class="colour of-{label.value}"></span>'
        code = "" if label.code is None else f'<br><span class="soft">{escape(str(label.code))}</span>'
        wide = "none: no guarantee" if threshold is None else f"probability ≥ {threshold:.3g}"
        name = f'<span class="name">{swatch}{escape(label.name)}</span>'
        rows.append(f"<tr><td>{label.value}</td><td>{name}{code}</td><td>{escape(wide)}</td></tr>")
    return f"""<table><thead><tr><th>Value</th><th>Class</th><th>Conformal mask</th></tr></thead>
<tbody>{"".join(rows)}</tbody></table>
<p class="soft">0 is background. The conformal mask of a class is wider: calibration controls its recall. The masks of several
classes may overlap.</p>"""
