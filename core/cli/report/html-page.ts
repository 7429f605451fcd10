import { createHash } from "node:crypto";
import { markup, Markup } from "./markup.js";
import { REPORT_STYLE } from "./report-style.js";

/**
 * A page without scripts or outside resources, so that it can be sent as it is. Its content policy allows nothing but its
 * own style sheet.
 */
export function htmlPage(title: string, content: Markup): string {
  const styleHash = createHash("sha256").update(REPORT_STYLE).digest("base64");
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${styleHash}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Markup(REPORT_STYLE)}</style>
</head>
<body><main>
${content}
</main></body>
</html>
`.text;
}
