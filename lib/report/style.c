/* The page's style sheet. */
#include "report/page.h"

#define DARK                                                                      \
    "--ink:#e6e9ee;--soft:#a3adba;--paper:#14181e;--card:#1d232b;--rule:#343c47;" \
    "--before:#667080;--after:#5aa9e6;--warn:#f0a060;--good:#5aa9e6;color-scheme:dark"

/* Blue and orange stay apart for every common kind of colour blindness; text has a contrast of at
 * least 4.5 to its background in both schemes. */
static const char sheet[] =
    ":root{--ink:#1d2430;--soft:#5a6472;--paper:#ffffff;--card:#f5f6f8;--rule:#d9dde3;"
    "--before:#9aa5b4;--after:#1f6fb2;--warn:#b3541e;--good:#1f6fb2;color-scheme:light}\n"
    "@media (prefers-color-scheme:dark){:root:not([data-theme=light]){" DARK "}}\n"
    ":root[data-theme=dark]{" DARK "}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;padding:2rem 1.25rem 4rem;max-width:64rem;background:var(--paper);"
    "color:var(--ink);font:16px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.7rem;line-height:1.2;margin:0 0 1rem}\n"
    "h2{font-size:1.2rem;margin:2.5rem 0 .75rem}\n"
    "p{color:var(--soft);margin:.25rem 0 .75rem}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1.25rem;margin:0;"
    "font-size:.9rem}\n"
    "dt{color:var(--soft)}\ndd{margin:0;overflow-wrap:anywhere}\n"
    ".scroll{overflow-x:auto}\n"
    "table{border-collapse:collapse;width:100%;font-size:.92rem;"
    "font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.45rem .7rem;border-bottom:1px solid var(--rule);text-align:right;"
    "white-space:nowrap}\n"
    "th{color:var(--soft);font-weight:600}\n"
    "th:first-child,td:first-child,.left{text-align:left}\n"
    "td.note{white-space:normal;text-align:left;min-width:12rem;color:var(--soft)}\n"
    "tr.dropped td{color:var(--soft)}\n"
    ".better{color:var(--good);font-weight:600}\n.worse{color:var(--warn);font-weight:600}\n"
    ".summary td{font-size:1.05rem}\n"
    "figure{margin:0;overflow-x:auto;background:var(--card);border-radius:8px;padding:.75rem}\n"
    "svg{max-width:100%;height:auto;min-width:36rem;display:block}\n"
    "svg text{fill:var(--ink);font:12px system-ui,sans-serif}\n"
    "svg .end{text-anchor:end}\nsvg .middle{text-anchor:middle}\n"
    "svg .label,svg .value{fill:var(--soft)}\nsvg .number{font-weight:600}\n"
    "svg .grid{stroke:var(--rule);stroke-width:1}\nsvg .axis{stroke:var(--soft);stroke-width:1}\n"
    "svg .path{fill:none;stroke:var(--after);stroke-width:2;stroke-opacity:.5}\n"
    "svg .front{fill:none;stroke:var(--before);stroke-width:2;stroke-dasharray:5 4}\n"
    "svg .kept{fill:var(--after);stroke:var(--card);stroke-width:1.5}\n"
    "svg .dropped{fill:var(--card);stroke:var(--warn);stroke-width:2}\n"
    "svg.graph{min-width:0;max-width:none}\n"
    "svg .wire{fill:none;stroke:var(--soft);stroke-width:1.2}\n"
    "svg .box{fill:var(--paper);stroke:var(--rule)}\nsvg .end-point{stroke:var(--soft)}\n"
    "svg .integers{stroke:var(--soft);stroke-dasharray:4 3}\n"
    "svg .before{fill:var(--before)}\nsvg .after{fill:var(--after)}\n"
    ".swatch{display:inline-block;width:.8em;height:.8em;border-radius:2px}\n"
    ".legend .before{background:var(--before)}\n"
    ".legend .after{background:var(--after);margin-left:1em}\n"
    "@media print{body{padding:0}section{break-inside:avoid}}\n";

/* What the script adds: buttons, the hint under the pointer, points that were chosen. */
static const char explored[] =
    ".bar{float:right;margin-left:1rem}\n"
    "button,input{font:inherit;color:inherit;background:var(--card);border:1px solid var(--rule);"
    "border-radius:6px;padding:.25rem .6rem}\n"
    "button{cursor:pointer}\n"
    "th button{border:0;background:none;padding:0;font-weight:600}\n"
    "th button::after{content:\"\\2195\";opacity:.5;margin-left:.3em}\n"
    "th[aria-sort=ascending] button::after{content:\"\\2191\";opacity:1}\n"
    "th[aria-sort=descending] button::after{content:\"\\2193\";opacity:1}\n"
    ":focus-visible{outline:3px solid var(--warn);outline-offset:2px}\n"
    ".find{display:flex;gap:.75rem;align-items:center;flex-wrap:wrap;margin:.5rem 0}\n"
    ".find label{color:var(--soft)}\n"
    ".tip{position:absolute;z-index:2;pointer-events:none;max-width:22rem;padding:.35rem .6rem;"
    "border-radius:6px;background:var(--ink);color:var(--paper);font-size:.85rem}\n"
    "svg [role=button]{cursor:pointer}\n"
    "svg .chosen{stroke:var(--warn);stroke-width:4}\n"
    "tr.chosen td{background:var(--card);font-weight:600}\n"
    "@media print{.bar,.find,.tip{display:none}}\n";

void rci_page_style(struct rci_page *p)
{
    rci_page_raw(p, "<style>\n");
    rci_page_raw(p, sheet);
    rci_page_raw(p, explored);
    rci_page_raw(p, "</style>");
}
