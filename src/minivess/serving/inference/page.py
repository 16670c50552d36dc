"""The service's front page: what it serves and how to ask it, in one file without anything from elsewhere.

The interactive pages that FastAPI brings load their scripts from another host, which a hospital's network does not reach; so
this page takes their place, and `/openapi.json` stays for tools.
"""

from __future__ import annotations

from html import escape

from minivess.records.lengths import shown
from minivess.workflows.serving.inference import ServedModel

_STYLE = """
:root { color-scheme: light dark; --ink: #1b2733; --soft: #55636f; --line: #d9d4cb; --ground: #fbfaf6; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e1; --soft: #a9b3bc; --line: #3a444d; --ground: #14191e; } }
body { font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); max-width: 46rem;
  margin: 2rem auto; padding: 0 1rem; }
h1, h2 { font-family: Georgia, serif; line-height: 1.2; } p.soft, dt { color: var(--soft); }
dl { display: grid; grid-template-columns: minmax(8rem, auto) 1fr; gap: .3rem 1rem; } dd { margin: 0; overflow-wrap: anywhere; }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); } code { font-size: .9rem; }
""".strip()


def front_page(model: ServedModel) -> str:
    """The page as HTML. Everything that comes from the project file is escaped."""
    use = model.intended_use
    axes = "zyx"[-len(use.shape[0]) :]
    spacing = ", ".join(
        f"{axis} {shown(bounds, use.unit, between=' to ')}" for axis, *bounds in zip(axes, *use.spacing, strict=True)
    )
    shape = ", ".join(f"{axis} {low} to {high}" for axis, low, high in zip(axes, *use.shape, strict=True))
    wide = (
        "no second mask: calibration could give no guarantee"
        if model.conformal_threshold is None
        else f"a second, wider mask from {model.conformal_threshold:.3g} on, whose recall calibration guarantees"
    )
    rows = {
        "Device": f"{model.device} {model.version}",
        "Model": model.digest,
        "Mask": f"voxels with a probability of at least {model.threshold:.3g}; {wide}",
        "Voxel size": spacing,
        "Size (voxels)": shape,
    }
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows.items())
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(model.device)} – inference</title><style>{_STYLE}</style></head><body>
<h1>{escape(model.device)}</h1>
<p>{escape(model.statement)}</p>
<dl>{facts}</dl>
<h2>Asking</h2>
<p>Send one volume as a NumPy <code>.npy</code> file with axes (z, y, x), and its voxel size with its unit:</p>
<pre><code>curl -F volume=@volume.npy -F "spacing=2 x 1 x 1 um" http://127.0.0.1:8000/v1/segment</code></pre>
<p>The answer carries the mask, the decision, and a receipt that proves the entry in the audit log. Input outside the
bounds above is refused, with reasons and a receipt. Nothing is answered that could not be recorded first.</p>
<dl><dt>GET /v1/model</dt><dd>the bounds of the intended use, complete</dd>
<dt>GET /v1/receipts/INDEX</dt><dd>the receipt of an earlier answer</dd>
<dt>GET /v1/health</dt><dd>whether the service is up</dd>
<dt>GET /openapi.json</dt><dd>the whole interface, for tools</dd></dl>
<p class="soft">This service does not authenticate callers. Run it on loopback or behind a proxy that authenticates.</p>
</body></html>
"""
