import { CHART_STYLE } from "./chart-frame.js";

/** The style of a report: one column that is readable on a phone, wide charts side by side where there is room. */
export const REPORT_STYLE = `
:root{color-scheme:light dark;--ink:#1f2328;--soft:#57606a;--line:#d8dee4;--page:#fff;--panel:#f6f8fa;--good:#0a6ebd;--bad:#b3470a}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa4af;--line:#30363d;--page:#0d1117;--panel:#161b22;--good:#4fa8f5;--bad:#f0883e}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1200px;margin:0 auto;padding:40px 24px 80px}
h1{font-size:30px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}
h2{font-size:20px;margin:52px 0 10px}h3{font-size:16px;margin:28px 0 8px}
p{max-width:72ch;margin:8px 0}.soft{color:var(--soft)}.note{font-size:14px;color:var(--soft)}
code,pre,.text{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
code{background:var(--panel);border-radius:4px;padding:2px 5px;overflow-wrap:anywhere}
pre{background:var(--panel);border-radius:8px;padding:14px 16px;overflow-x:auto;margin:8px 0}
.scroll{overflow-x:auto;margin:12px 0}
table{border-collapse:collapse;font-size:15px;font-variant-numeric:tabular-nums;white-space:nowrap}
th{font-weight:600;font-size:13px;color:var(--soft);text-align:right;vertical-align:bottom;padding:6px 14px}
td{text-align:right;padding:8px 14px;border-top:1px solid var(--line)}
th:first-child,td:first-child{text-align:left;padding-left:0}td:first-child{font-weight:600}
.claims{white-space:normal;min-width:900px}.claims td,.claims th{text-align:left;vertical-align:top}.claims td:first-child{font-weight:400;max-width:30ch}
figure{margin:16px 0}figure svg{width:100%;height:auto}
td small{display:block;color:var(--soft);font-size:12.5px}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:12px 24px}
.charts svg,.wide svg{width:100%;height:auto;display:block}.wide{max-width:760px}
.notice{border-left:3px solid var(--bad);padding:2px 0 2px 14px;margin:12px 0;max-width:72ch}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,380px),1fr));gap:16px;margin:12px 0 28px}
.rollout{border:1px solid var(--line);border-radius:8px;padding:14px 16px;min-width:0}
.rollout h4{margin:0 0 8px;font-size:13px;color:var(--soft);font-weight:600}
.text{white-space:pre-wrap;overflow-wrap:anywhere;margin:8px 0}
.verdict{font-size:14px;margin:10px 0 0;overflow-wrap:anywhere}.pass{color:var(--good);font-weight:600}.other{color:var(--bad);font-weight:600}
details{margin:8px 0}summary{cursor:pointer;color:var(--soft);font-size:14px}
details .text{color:var(--soft);border-left:2px solid var(--line);padding-left:12px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;margin:14px 0;font-size:14px}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
@media (max-width:600px){main{padding:24px 16px 60px}h1{font-size:24px}td,th{padding-left:9px;padding-right:9px}}
${CHART_STYLE}`;
