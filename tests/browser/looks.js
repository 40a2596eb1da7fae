// What axe finds on this page, and the looks of text that it found easy to read.
//
// Contrast is three quarters of axe's work, and most texts look like another: a look is the text's own style and each
// painted box around it. One text of each look that is not known goes to axe first; then every text whose look did not
// pass, so a look is known only once axe has passed it. What lies beside the boxes around a text is no part of a look:
// `whole` asks for every text.
async ({ known, rules, whole }) => {
  const passed = new Set(known);
  const found = [];
  const looks = new Map();
  const SELF = ["color", "font-size", "font-weight", "text-shadow", "-webkit-text-stroke"];
  const BOX = {
    "background-color": "rgba(0, 0, 0, 0)", "background-image": "none", "opacity": "1", "filter": "none",
    "mix-blend-mode": "normal", "position": "static",
  };

  const painted = (box) => {
    if (!box) return "";
    if (!looks.has(box)) {
      const style = getComputedStyle(box);
      const own = Object.keys(BOX).map((name) => style.getPropertyValue(name));
      const plain = Object.values(BOX).every((value, at) => value === own[at]);
      looks.set(box, painted(box.parentElement) + (plain ? "" : `>${own}`));
    }
    return looks.get(box);
  };
  const look = (text) => {
    const style = getComputedStyle(text);
    return SELF.map((name) => style.getPropertyValue(name)) + painted(text);
  };

  // A box of a pixel, or beside the page, is for those who listen; a box that hands its place to what it holds has none.
  const seen = (text) => {
    const box = text.getBoundingClientRect();
    const there = box.width > 1 && box.right + scrollX > 0 && box.bottom + scrollY > 0;
    return (text.checkVisibility() && there) || getComputedStyle(text).display === "contents";
  };

  const keep = (result) => {
    for (const one of result.violations) found.push([one.id, one.nodes[0].html.slice(0, 160)]);
  };
  const judge = async (texts) => {
    if (!texts.length) return;
    const options = { runOnly: ["color-contrast"], resultTypes: ["violations", "passes"], elementRef: true, selectors: false };
    const result = await axe.run({ include: texts }, options);
    keep(result);
    for (const one of result.passes) for (const node of one.nodes) passed.add(look(node.element));
  };

  const options = { resultTypes: ["violations"], selectors: false, ...rules };
  if (!options.runOnly) options.rules = { "color-contrast": { enabled: false } };
  keep(await axe.run(options));
  if (whole) {
    await judge([document.body]);
    return { found, passed: [...passed] };
  }

  const texts = new Set(document.body.querySelectorAll("button, input, select, textarea"));
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) if (walker.currentNode.data.trim()) texts.add(walker.currentNode.parentElement);
  const unknown = [...texts].filter((text) => seen(text) && !passed.has(look(text)));
  const first = new Map(unknown.toReversed().map((text) => [look(text), text]));
  await judge([...first.values()]);
  await judge(unknown.filter((text) => !passed.has(look(text)) && first.get(look(text)) !== text));
  return { found, passed: [...passed] };
}
