/* report/page/examples.js - the validation examples: what they are, who misses them, their pictures. nab.data.examples
 * (report/view_examples.c) is { packed, shown }. Packed JSON:
 *	n, truth [class of every example], source [its number in the files, as gaps] or null
 *	runs     finished runs whose predictions are counted; missed [gap, runs that miss it, commonest wrong class, its runs, ...]
 *	slices   { name: members, as gaps }; why: in words, if there are no pictures
 * shown, or null:
 *	{ width, height, channels, columns, sheets: [PNG in base64], per: pictures of a full sheet,
 *	  of: [example, ...] in the order of the sheets }, or { texts: { example: text } }
 */
nab.examples = (function () {
	"use strict";
	var all = null, where = null, sheets = {}, make = nab.make;

	function gaps(list) {
		var at = -1;
		return list.map(function (g) { return at += g; });
	}
	function get() {
		if (all || !nab.data.examples) return all;
		all = JSON.parse(nab.unpack(nab.data.examples.packed));
		all.pictures = nab.data.examples.shown && nab.data.examples.shown.sheets ? nab.data.examples.shown : null;
		all.texts = nab.data.examples.shown && nab.data.examples.shown.texts || null;
		if (all.source) all.source = gaps(all.source);
		Object.keys(all.slices).forEach(function (s) { all.slices[s] = gaps(all.slices[s]); });
		where = {};
		if (all.pictures) all.pictures.of.forEach(function (i, k) { where[i] = k; });
		return all;
	}
	function name(c) { return nab.data.classes[c] || (nab.data.classes[c] === "" ? "(empty)" : "class " + c); }

	function brief(c) { return nab.format.cut(name(c), 48); }

	/* A sheet is decoded when the first of its pictures is asked for. */
	function sheet(k, use) {
		var s = sheets[k];
		if (!s) {
			s = sheets[k] = { image: new Image(), waiting: [] };
			s.image.addEventListener("load", function () { s.ready = true; s.waiting.forEach(function (f) { f(s.image); }); });
			s.image.src = "data:image/png;base64," + all.pictures.sheets[k];
		}
		if (s.ready) use(s.image); else s.waiting.push(use);
	}
	/* A canvas with the picture of an example, pixel by pixel; its text; or null. */
	function picture(i) {
		var p = get() && all.pictures, k = where && where[i];
		if (all && all.texts && all.texts[i] !== undefined) return make("span", { class: "words" }, all.texts[i]);
		if (!p || k === undefined) return null;
		var c = make("canvas", { width: p.width, height: p.height, role: "img", "aria-label": "example " + i, "data-example": i });
		var grow = Math.max(1, Math.round(56 / Math.max(p.width, p.height)));
		c.style.width = p.width * grow + "px";
		c.style.height = p.height * grow + "px";
		sheet(Math.floor(k / p.per), function (image) {
			var at = k % p.per;
			c.getContext("2d").drawImage(image, at % p.columns * p.width, Math.floor(at / p.columns) * p.height, p.width, p.height, 0, 0, p.width, p.height);
			c.dataset.drawn = "1";
		});
		return c;
	}
	function has(i) { return !!get() && (all.texts ? all.texts[i] !== undefined : where[i] !== undefined); }

	/* items: [{ i: example, words: below the picture }]. What has neither picture nor words is a number in a list. */
	function list(items, most) {
		var box = make("div", { class: "examples" }), seen = items.filter(function (t) { return has(t.i) || t.words; });
		var blind = items.filter(function (t) { return !has(t.i) && !t.words; }), cut = seen.length > most;
		function one(t) {
			var source = all.source ? ", number " + all.source[t.i] + " of the data" : "";
			return make("figure", { "data-example": t.i, title: "validation example " + t.i + source + ": " + name(all.truth[t.i]) },
				picture(t.i), make("figcaption", make("span", { class: "dim" }, "#" + t.i), t.words ? make("span", t.words) : null));
		}
		function fill(n) {
			var shown = seen.slice(0, n).map(one);
			box.replaceChildren(make("div", { class: "sprites" }, shown));
			if (shown.length < seen.length)
				box.appendChild(make("button", { class: "noprint", on: { click: function () { fill(Infinity); } } }, "show all " + seen.length));
			if (seen.length && !seen.some(function (t) { return has(t.i); })) box.appendChild(make("p", { class: "note" }, "No pictures: " + why() + "."));
			if (blind.length) box.appendChild(make("p", { class: "note numbers" }, (seen.length ? "Without a picture here: " : (why() ? "No pictures: " + why() + ". " : "") + "By their number in the validation split: ") +
				blind.map(function (t) { return "#" + t.i; }).join(" ")));
		}
		fill(cut ? most : Infinity);
		return box;
	}
	function why() { return get() ? all.why || "" : "no predictions are stored"; }
	return { get: get, name: name, brief: brief, picture: picture, has: has, list: list, why: why };
})();
