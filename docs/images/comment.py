#!/usr/bin/env python3
"""The Markdown of a comment of ours as a page that looks as on a pull request: `comment.py < comment.md > comment.html`.

Knows the Markdown that our reports use and no more: headings, paragraphs, bold, code, links, tables, lists, fences, and
the few elements of HTML that they have. Everything else is shown as it stands, so that a picture never looks better than
the comment.
"""

import html
import re
import sys

STYLE = """
* { box-sizing: border-box }
body { margin: 0; padding: 24px 24px 0; width: 960px; background: #fff; color: #1f2328;
  font: 14px/1.5 'Liberation Sans', 'DejaVu Sans', sans-serif }
.comment { border: 1px solid #d1d9e0; border-radius: 6px; position: relative; margin-left: 54px }
.picture { position: absolute; left: -54px; top: 0; width: 40px; height: 40px; border-radius: 6px; background: #24292f;
  color: #fff; font: bold 13px/40px 'Liberation Sans', sans-serif; text-align: center }
.head { background: #f6f8fa; border-bottom: 1px solid #d1d9e0; border-radius: 6px 6px 0 0; padding: 8px 16px;
  color: #59636e }
.head b { color: #1f2328 }
.bot { border: 1px solid #d1d9e0; border-radius: 2em; padding: 0 7px; font-size: 12px; margin-left: 4px }
.body { padding: 16px }
h3 { margin: 0 0 16px; font-size: 17.5px; line-height: 1.25 }
p, table, pre, ul { margin: 0 0 16px }
code { background: #eff1f3; border-radius: 6px; padding: .2em .4em; font: 85% 'DejaVu Sans Mono', monospace }
pre { background: #f6f8fa; border-radius: 6px; padding: 14px 16px; font: 85%/1.45 'DejaVu Sans Mono', monospace }
table { border-collapse: collapse }
th, td { border: 1px solid #d1d9e0; padding: 6px 13px }
tr:nth-child(2n) td { background: #f6f8fa }
a { color: #0969da; text-decoration: none }
sub { font-size: 12px; vertical-align: baseline; color: #59636e }
details { margin: 0 0 12px }
"""


def inline(text):
    """Code first, since nothing acts inside of it; a backslash keeps the next character as it is."""
    kept = []

    def keep(value):
        kept.append(value)
        return f"\0{len(kept) - 1}\0"

    text = re.sub(r"`([^`]+)`", lambda found: keep(f"<code>{html.escape(found[1])}</code>"), text)
    text = re.sub(r"\\([^A-Za-z0-9\s])", lambda found: keep(html.escape(found[1])), text)
    text = re.sub(r"</?(?:sub|b|code|summary|br)>|&#?\w+;", lambda found: keep(found[0]), text)
    text = html.escape(text, quote=False)
    text = re.sub(r"\[([^\]]+)\]\(([^)\s]+)\)", r'<a href="\2">\1</a>', text)
    text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text)
    while "\0" in text:
        text = re.sub("\0(\\d+)\0", lambda found: kept[int(found[1])], text)
    return text


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def table(lines):
    sides = ["right" if rule.endswith(":") else "left" for rule in cells(lines[1])]

    def row(line, tag):
        made = (f'<{tag} align="{side}">{inline(cell)}</{tag}>' for side, cell in zip(sides, cells(line)))
        return f"<tr>{''.join(made)}</tr>"

    return "<table>" + row(lines[0], "th") + "".join(row(line, "td") for line in lines[2:]) + "</table>"


def body(markdown):
    out, lines, at = [], markdown.splitlines(), 0
    while at < len(lines):
        line, start = lines[at], at
        if not line.strip() or line.startswith("<!--"):
            at += 1
        elif line.startswith("```"):
            at += 1
            while at < len(lines) and not lines[at].startswith("```"):
                at += 1
            out.append(f"<pre>{html.escape(chr(10).join(lines[start + 1 : at]))}</pre>")
            at += 1
        elif line.startswith("|"):
            while at < len(lines) and lines[at].startswith("|"):
                at += 1
            out.append(table(lines[start:at]))
        elif line.startswith("- "):
            while at < len(lines) and lines[at].startswith("- "):
                at += 1
            out.append("<ul>" + "".join(f"<li>{inline(item[2:])}</li>" for item in lines[start:at]) + "</ul>")
        elif re.fullmatch(r"</?details(?: open)?>", line):
            out.append(line)
            at += 1
        elif line.startswith("<summary>"):
            out.append(inline(line))
            at += 1
        elif line.startswith("### "):
            out.append(f"<h3>{inline(line[4:])}</h3>")
            at += 1
        else:
            out.append(f"<p>{inline(line)}</p>")
            at += 1
    return "\n".join(out)


print(
    f"""<!doctype html><meta charset="utf-8"><title>comment</title><style>{STYLE}</style>
<div class="comment"><div class="picture">bot</div><div class="head"><b>github-actions</b><span class="bot">bot</span>
commented</div><div class="body">{body(sys.stdin.read())}</div></div>"""
)
