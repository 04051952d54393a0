"""Block Kit as a phone shows it: a small renderer to HTML, for pictures of our own screens."""

import html
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

Block = Mapping[str, Any]

WIDTH = 390
STYLE = """
* { box-sizing: border-box } body { margin: 0; background: #fff }
#screen { width: 390px; font: 15px/1.42 "Liberation Sans", "Noto Color Emoji", sans-serif; color: #1d1c1d;
  padding: 0 0 14px; overflow-wrap: anywhere }
.bar { display: flex; align-items: center; padding: 13px 16px; border-bottom: 1px solid #ddd; margin-bottom: 12px }
.bar b { flex: 1; text-align: center; font-size: 16px } .bar span { color: #616061 } .bar i { font-style: normal;
  font-weight: 700; color: #007a5a } .left { text-align: left !important }
.body { padding: 0 16px } .message { display: flex; gap: 10px; padding: 12px 14px 0 12px }
.message > div { flex: 1; min-width: 0 } .face { flex: 0 0 36px !important; height: 36px; border-radius: 8px;
  background: #4a154b; color: #fff; text-align: center; font: 700 19px/36px "Liberation Sans" }
.who small { color: #616061 } .who em { font: 700 10px "Liberation Sans"; background: #e8e8e8; color: #616061;
  padding: 1px 3px; border-radius: 2px } .only, .pin { color: #616061; font-size: 12.5px; padding: 10px 14px 0 58px }
.section, .header, .context, .actions, .input, hr { margin: 0 0 10px } .header { font-size: 18px; font-weight: 700;
  line-height: 1.25 } .context { font-size: 12.5px; color: #616061; line-height: 1.35 }
.context span { margin-right: 8px; display: inline-block; max-width: 100% }
.fields div { margin-bottom: 6px } hr { border: 0; border-top: 1px solid #ddd }
.actions { display: flex; flex-wrap: wrap; gap: 8px } .button { border: 1px solid #bbb; border-radius: 6px;
  padding: 7px 14px; font-weight: 700; font-size: 15px; background: #fff } .primary { background: #007a5a;
  color: #fff; border-color: #007a5a } .danger { background: #e01e5a; color: #fff; border-color: #e01e5a }
.label { font-weight: 700; margin-bottom: 5px } .label small { font-weight: 400; color: #616061 }
.box { border: 1px solid #999; border-radius: 6px; padding: 9px 11px; min-height: 40px; white-space: pre-wrap }
.lines { min-height: 78px } .empty { color: #868686 } .select { display: flex } .select b { flex: 1;
  font-weight: 400 } .hint { color: #616061; font-size: 12.5px; margin-top: 4px; line-height: 1.35 }
.choice { display: flex; gap: 9px; padding: 3px 0 } .choice small { color: #616061; display: block;
  font-size: 13px; line-height: 1.3 } .ring, .tick { flex: 0 0 18px; height: 18px; border: 1.5px solid #777;
  margin-top: 2px; border-radius: 4px } .ring { border-radius: 50% } .on { border: 6px solid #1264a3 }
code { font: 12.5px "Liberation Mono", monospace; color: #c01343; background: #f6f6f6; border: 1px solid #ddd;
  border-radius: 3px; padding: 1px 3px } blockquote { margin: 2px 0; padding-left: 11px; border-left: 4px solid #ddd }
.mention { background: #e8f2fa; color: #1264a3; border-radius: 3px; padding: 0 2px } .link { color: #1264a3 }
pre { font: 12px/1.4 "Liberation Mono", monospace; background: #f6f6f6; border: 1px solid #ddd; margin: 4px 0;
  border-radius: 4px; padding: 8px; white-space: pre-wrap }
"""
"""How Slack's app looks on a phone, as far as it matters to whoever reads a screen of ours."""

_TOKEN = re.compile(r"<([^<>]+)>")
_MARKS = (
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])"), r"<b>\1</b>"),
    (re.compile(r"(?<![\w_])_(?=\S)([^_\n]+?)(?<=\S)_(?![\w_])"), r"<i>\1</i>"),
)
_CODE = re.compile(r"```(.+?)```|`([^`\n]+)`", re.DOTALL)


class Renderer:
    """Renders messages and modals; `names` are the people by their Slack ids."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._blocks: dict[str, Callable[[Block], str]] = {
            "header": lambda one: f'<div class="header">{html.escape(one["text"]["text"])}</div>',
            "section": self._section,
            "context": self._context,
            "actions": lambda one: f'<div class="actions">{"".join(map(_button, one["elements"]))}</div>',
            "divider": lambda _: "<hr>",
            "input": self._input,
        }

    def modal(self, view: Block) -> str:
        """Return a modal as a page: on a phone it fills the screen."""
        submit = html.escape(view["submit"]["text"]) if view.get("submit") else ""
        close, title = html.escape(view["close"]["text"]), html.escape(view["title"]["text"])
        bar = f'<div class="bar"><span>{close}</span><b>{title}</b><i>{submit}</i></div>'
        return _page(f'{bar}<div class="body">{self.blocks(view["blocks"])}</div>')

    def message(self, *shown: list[Block], place: str, above: str = "") -> str:
        """Return messages of ours as a page; `place` is what stands at its top, `above` is said of the first one."""
        bar = f'<div class="bar"><b class="left">{html.escape(place)}</b></div>'
        who = '<div class="who"><b>responder</b> <em>APP</em> <small>now</small></div>'
        more = f'<div class="only">{html.escape(above)}</div>' if above else ""
        messages = "".join(
            f'<div class="message"><div class="face">r</div><div>{who}{self.blocks(one)}</div></div>' for one in shown
        )
        return _page(bar + more + messages)

    def blocks(self, blocks: list[Block]) -> str:
        """Return blocks as HTML."""
        return "".join(self._blocks[str(one["type"])](one) for one in blocks)

    def _section(self, one: Block) -> str:
        text = f"<div>{self.text(one['text'])}</div>" if "text" in one else ""
        fields = "".join(f"<div>{self.text(each)}</div>" for each in one.get("fields", ()))
        beside = _button(one["accessory"]) if "accessory" in one else ""
        return f'<div class="section">{text}<div class="fields">{fields}</div>{beside}</div>'

    def _context(self, one: Block) -> str:
        return f'<div class="context">{"".join(f"<span>{self.text(each)}</span>" for each in one["elements"])}</div>'

    def _input(self, one: Block) -> str:
        optional = " <small>(optional)</small>" if one.get("optional") else ""
        hint = f'<div class="hint">{html.escape(one["hint"]["text"])}</div>' if "hint" in one else ""
        label = f'<div class="label">{html.escape(one["label"]["text"])}{optional}</div>'
        return f'<div class="input">{label}{self._element(one["element"])}{hint}</div>'

    def _element(self, one: Block) -> str:
        if one["type"] in {"radio_buttons", "checkboxes"}:
            chosen = [one.get("initial_option"), *one.get("initial_options", ())]
            shape = "ring" if one["type"] == "radio_buttons" else "tick"
            return "".join(self._choice(each, shape, on=each in chosen) for each in one["options"])
        if one["type"] == "static_select":
            text = one.get("initial_option", {}).get("text", {"text": "Choose an option"})["text"]
            empty = "" if "initial_option" in one else " empty"
            return f'<div class="box select{empty}"><b>{html.escape(text)}</b>⌄</div>'
        given = html.escape(str(one.get("initial_value", "")))
        told = html.escape(one.get("placeholder", {}).get("text", ""))
        lines = " lines" if one.get("multiline") else ""
        return f'<div class="box{lines}{"" if given else " empty"}">{given or told}</div>'

    def _choice(self, one: Block, shape: str, *, on: bool) -> str:
        more = f"<small>{self.text(one['description'])}</small>" if "description" in one else ""
        mark = f'<div class="{shape}{" on" if on else ""}"></div>'
        return f'<div class="choice">{mark}<div>{self.text(one["text"])}{more}</div></div>'

    def text(self, one: Block) -> str:
        """Return a text object as HTML."""
        if one["type"] == "plain_text":
            return html.escape(one["text"])
        return self._mrkdwn(one["text"])

    def _mrkdwn(self, text: str) -> str:
        shown, kept = _TOKEN.sub(self._token, text), list[str]()

        def keep(found: re.Match[str]) -> str:
            kept.append(f"<pre>{found[1].strip()}</pre>" if found[1] else f"<code>{found[2]}</code>")
            return f"\0{len(kept) - 1}\0"

        shown = _CODE.sub(keep, shown)
        for mark, put in _MARKS:
            shown = mark.sub(put, shown)
        lines = [_quoted(line) for line in shown.split("\n")]
        joined = re.sub(r"(</blockquote>|</pre>)<br>", r"\1", "<br>".join(lines))
        return re.sub(r"\0(\d+)\0", lambda found: kept[int(found[1])], joined)

    def _token(self, found: re.Match[str]) -> str:
        inner = found[1]
        target, _, shown = inner.partition("|")
        if inner.startswith("@"):
            return f'<span class="mention">@{self._names.get(target[1:], target[1:])}</span>'
        if inner.startswith("!date^"):
            _, seconds, form = target.split("^")[:3]
            at = time.gmtime(int(seconds))
            named = {"{time}": "%H:%M", "{date_short_pretty}": "%b %d", "{date_short}": "%b %d"}
            for name, told in named.items():
                form = form.replace(name, time.strftime(told, at))
            return form
        if inner.startswith("!"):
            return f'<span class="mention">@{target[1:]}</span>'
        return f'<span class="link">{shown or target}</span>'


def _quoted(line: str) -> str:
    return f"<blockquote>{line[4:].strip()}</blockquote>" if line.startswith("&gt;") else line


def _button(one: Block) -> str:
    return f'<div class="button {one.get("style", "")}">{html.escape(one["text"]["text"])}</div>'


def _page(body: str) -> str:
    return f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style><div id="screen">{body}</div>'
