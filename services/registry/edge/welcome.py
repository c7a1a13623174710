"""What does somebody see who opens the node in a browser? One small page, in both languages.

What it shows beside this service's documents comes from the file that JIEXU_WELCOME names::

    {"city": {"zh": "重庆", "en": "Chongqing"},
     "services": [{"name": "records", "zh": "服务记录", "en": "service records",
                   "docs": "http://127.0.0.1:20002/docs"}],
     "people": [{"name": "李华", "zh": "志愿者", "en": "volunteer",
                 "tries": [{"zh": "查看我的登记", "en": "see my registration",
                            "command": "curl …"}]}]}
"""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from shared.auth import public

# More than a page holds.
MAX_ITEMS: Final = 50
MAX_BYTES: Final = 262_144

_STYLE: Final = """
body{font:16px/1.6 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif;max-width:56rem;
margin:2rem auto;padding:0 1rem;color:#1c2430;background:#fbfaf7}
h1{font-size:1.5rem;border-bottom:3px solid #b23a2e;padding-bottom:.4rem}
h2{font-size:1.1rem;margin-top:2rem}li{margin:.3rem 0}small{color:#5b6675}
pre{background:#f0ede4;padding:.6rem;overflow-x:auto;white-space:pre-wrap;font-size:.85rem}
a{color:#8c2b21}
"""
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}


def router(node: str, path: Path | None) -> APIRouter:
    """The route /; the file is read at each request, so the demo may fill it as it goes."""
    routes = APIRouter()

    @routes.get("/", include_in_schema=False)
    def welcome(_: Annotated[Any, Depends(public())]) -> HTMLResponse:
        return HTMLResponse(page(node, _read(path)), headers=_HEADERS)

    return routes


def page(node: str, data: dict[str, Any]) -> str:
    """The page as HTML; everything in ``data`` is text, never markup."""
    city = data.get("city")
    zh, en = _pair(city) if isinstance(city, dict) else (node, node)
    services = _items(data, "services") or [
        {"name": "registry", "zh": "登记", "en": "registry", "docs": "docs"}
    ]
    people = "".join(_person(each) for each in _items(data, "people"))
    return (
        '<!doctype html><html lang="zh"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>接续 Jiexu · {_text(zh)} {_text(en)}</title><style>{_STYLE}</style>"
        f"<h1>接续 Jiexu · {_text(zh)} {_text(en)} <small>{_text(node)}</small></h1>"
        "<p>本城市的志愿服务节点：登记、服务记录、星级认定、异地转移接续。</p>"
        "<p>This city's node of volunteer-service records: registration, records, stars, and "
        "moving a record from city to city.</p>"
        "<h2>接口文档 · API documents</h2>"
        f"<ul>{''.join(_service(each) for each in services)}</ul>"
        + (f"<h2>演示人物 · People of the demo</h2>{people}" if people else "")
        + "</html>"
    )


def _read(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        raw = path.read_bytes()
        found = json.loads(raw) if len(raw) <= MAX_BYTES else {}
    except (OSError, ValueError):
        # Being written just now, or gone: the page does without.
        return {}
    return found if isinstance(found, dict) else {}


def _service(each: dict[str, Any]) -> str:
    address = str(each.get("docs", ""))
    if not address.startswith(("http://", "https://", "docs")):
        address = ""
    zh, en = _pair(each)
    return (
        f'<li><a href="{_text(address)}">{_text(each.get("name", ""))}</a> '
        f"{_text(zh)} · {_text(en)}</li>"
    )


def _person(each: dict[str, Any]) -> str:
    zh, en = _pair(each)
    tries = "".join(_try(one) for one in _items(each, "tries"))
    return (
        f"<h3>{_text(each.get('name', ''))} <small>{_text(zh)} · {_text(en)}</small></h3>"
        f"<ul>{tries}</ul>"
    )


def _try(each: dict[str, Any]) -> str:
    zh, en = _pair(each)
    command = each.get("command")
    shown = f"<pre>{_text(command)}</pre>" if command else ""
    return f"<li>{_text(zh)} · {_text(en)}{shown}</li>"


def _items(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    listed = data.get(name)
    if not isinstance(listed, list):
        return []
    return [each for each in listed[:MAX_ITEMS] if isinstance(each, dict)]


def _pair(each: dict[str, Any]) -> tuple[str, str]:
    return str(each.get("zh", "")), str(each.get("en", ""))


def _text(value: Any) -> str:
    return html.escape(str(value))
