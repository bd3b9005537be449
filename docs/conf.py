# SPDX-License-Identifier: BSD-2-Clause
"""How Sphinx builds the documentation: ``make docs``."""

import inspect
import pkgutil
import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

sys.path.insert(0, str(Path(__file__).parent))

project = "Erbium"
author = "Erbium contributors"
copyright = author
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "generate"]
exclude_patterns = ["generated/parts"]
source_suffix = {".md": "markdown"}

html_theme = "furo"
html_title = "Erbium"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {"navigation_with_keys": True}
pygments_style, pygments_dark_style = "friendly", "monokai"

myst_enable_extensions = ["attrs_inline", "attrs_block", "deflist"]
myst_heading_anchors = 3

# Docstrings are NumPy's, with one section more.
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Members", "params_style"), ("Other parameters", "notes")]
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings have them
add_module_names = False

# Every link has to lead somewhere.
nitpicky = True

# The pages cite papers and projects; `make linkcheck` asks the web for them, which takes a network.
linkcheck_timeout = 20
linkcheck_retries = 2
linkcheck_ignore = [r"http://localhost.*"]


IN_THE_SITE = {
    "../README.md#measured": "results.md",
    "../README.md": "index.md",
    "../CONTRIBUTING.md": "contributing.md",
    "../examples/README.md": "examples.md",
}
"""Pages of the repository, as the pages of ``docs`` link to them, and where the site has them."""


def _relinked(app: Sphinx, name: str, source: list[str]) -> None:
    """Let links to pages of the repository lead to the site's."""
    for link, page in IN_THE_SITE.items():
        source[0] = source[0].replace(f"]({link})", f"]({page})")


def _off_site(app: Sphinx, env: BuildEnvironment, node: Any, shown: Any) -> Any:
    """Take a docstring's reference to something that exists without being on the site; refuse any other.

    The types of parameters are words: they are no reference at all.
    """
    if node.get("refdomain") != "py":
        return None
    if node.get("refspecific"):
        return shown
    target, module = node["reftarget"], node.get("py:module") or ""
    for path in (target, f"{module}.{target}", f"{module}.{node.get('py:class')}.{target}"):
        if _exists(path):
            return shown
    return None


def _exists(path: str) -> bool:
    try:
        pkgutil.resolve_name(path)
    except (ImportError, AttributeError, ValueError):
        return False
    return True


def _as_written(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Return the parameters of a component as its own ``__init__`` has them, not as Amaranth wraps them."""
    if what == "class" and name.startswith("erbium.hdl."):
        own = inspect.signature(obj.__init__)
        parameters = [p.replace(annotation=p.empty) for p in own.parameters.values() if p.name != "self"]
        return str(own.replace(parameters=parameters, return_annotation=own.empty)), None
    return signature, returns


def _ports_apart(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Write ``a : In(1), b : Out(1)``, ports that are explained together, as ``a, b : In(1), Out(1)``."""
    for place, line in enumerate(lines):
        ports = [port.partition(" : ") for port in re.split(r", (?=\w+ : )", line)]
        kinds = [kind for _, _, kind in ports if kind]
        if len(kinds) > 1 and all(re.match(r"(In|Out)\b", kind) for kind in kinds):
            lines[place] = f"{', '.join(names for names, _, _ in ports)} : {', '.join(kinds)}"


def _drawings(app: Sphinx, tree: nodes.document) -> None:
    """Mark blocks that are drawn with characters: their lines must not be wrapped as code is."""
    for block in tree.findall(nodes.literal_block):
        if any("\u2500" <= character <= "\u257f" for character in block.astext()):
            parent, box = block.parent, nodes.container(classes=["drawing"])
            parent.replace(block, box)
            box += block


def setup(app: Sphinx) -> None:
    """Tell Sphinx of those above."""
    app.connect("doctree-read", _drawings)
    app.connect("autodoc-process-signature", _as_written)
    app.connect("autodoc-process-docstring", _ports_apart, priority=400)  # before napoleon reads it
    app.connect("source-read", _relinked)
    app.connect("missing-reference", _off_site)
