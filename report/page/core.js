/* report/page/core.js - what the views of the page share: the data, what is chosen, judged, filtered and pinned, and a
 * few ways to make elements. Text from the store is only ever set as text; nothing builds HTML from strings.
 *
 * A model is a row of the report, named by its number. Data stand in columns, nab.data.rows.KEY[row]; null is unknown.
 * State is changed by nab.set({ key: value, ... }) alone, which tells whoever listens and keeps it for the next visit:
 *	classes  numbers of the classes that count; none: all         event "judge"
 *	slice    number of the slice that counts, or null             event "judge"
 *	filter   regular expression over labels, studies, summaries   event "filter"
 *	most     no model with more parameters, or null               event "filter"
 *	current  the model that is looked at, or -1                   event "current"
 *	pinned   models in the drawer, in their order                 event "pinned"
 *	hover    the model under the pointer, or -1 (not kept)        event "hover"
 * Elements with data-choose=ROW choose that row when they are clicked, those with data-pin=ROW pin it and say so
 * (aria-pressed), whenever they were made.
 *
 * A view is nab.view(id, function (section, data) { ... }): called once, when the page is there, with its section and
 * nab.data[id]. Without a script the page is complete, but still.
 */
var nab = (function () {
	"use strict";
	var data = JSON.parse(document.getElementById("data").textContent);
	var rows = data.rows, listeners = {}, views = [], judged = null, placed = null, seen = null;
	var events = { classes: "judge", slice: "judge", filter: "filter", most: "filter", current: "current",
		pinned: "pinned", hover: "hover" };
	var state = { classes: [], slice: null, filter: "", most: null, current: data.first, pinned: [], hover: -1 };
	var place = "nab " + data.key; /* in the browser's memory: by store, not by file */

	/* ---- elements ---- */
	/* make("td", "text") or make("td", { class: "n", title: "x", on: { click: f } }, child, "text", ...) */
	function fill(e, parts) {
		parts.forEach(function (p) {
			if (p === null || p === undefined) return;
			if (p instanceof Node) e.appendChild(p);
			else if (Array.isArray(p)) fill(e, p);
			else if (typeof p === "object") Object.keys(p).forEach(function (k) {
				if (k === "on") Object.keys(p.on).forEach(function (v) { e.addEventListener(v, p.on[v]); });
				else if (k === "style") Object.keys(p.style).forEach(function (v) { e.style.setProperty(v, p.style[v]); });
				else if (p[k] !== null && p[k] !== undefined && p[k] !== false) e.setAttribute(k, p[k] === true ? "" : p[k]);
			});
			else e.appendChild(document.createTextNode(String(p)));
		});
		return e;
	}
	function make(tag) { return fill(document.createElement(tag), Array.prototype.slice.call(arguments, 1)); }
	function svg(tag) { /* the name in two pieces: a page without any address can be searched for addresses */
		return fill(document.createElementNS("http:/" + "/www.w3.org/2000/svg", tag), Array.prototype.slice.call(arguments, 1));
	}
	function all(selector, from) { return Array.prototype.slice.call((from || document).querySelectorAll(selector)); }

	/* ---- charts ---- */
	/* The small chart of a row's architecture as a new SVG element, or null. label: for who cannot see it; "": none. */
	function chips(row, label) {
		var text = data.chips.list[data.chips.of[row]];
		label = label === undefined ? rows.summary[row] : label;
		return text ? unpack(text, { class: "chips-small", role: label ? "img" : "presentation", "aria-label": label || null,
			"aria-hidden": label ? null : "true" }) : null;
	}
	var DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/ !#$%'()*,-.:;=>?@[]^_`{|}~";
	function unpack(text, more) { /* report/packed.c */
		var at = 0, x = 0, y = 0, e, look, k, op, d, from, w;
		function digit() { return DIGITS.indexOf(text[at++]); }
		function number() {
			var v = digit();
			if (v < 64) return v;
			return v < 90 ? 64 + (v - 64) * 91 + digit() : ((digit() * 91 + digit()) * 91 + digit()) * 91 + digit();
		}
		function length() { var v = number(); return (v % 2 ? -(v + 1) / 2 : v / 2) / 4; }
		function move() { x += length(); y += length(); return x + " " + y; }
		w = length();
		d = length();
		e = svg("svg", { width: w, height: d, viewBox: "0 0 " + w + " " + d }, more);
		while (at < text.length) {
			k = data.chips.looks[number() - 1];
			look = { class: (k[1] ? "f-" + k[1] : "") + (k[2] ? " s-" + k[2] : ""), fill: k[1] ? null : "none",
				opacity: k[5] < 1 ? k[5] : null };
			if (k[2]) { look["stroke-width"] = k[3]; look["stroke-dasharray"] = k[4] || null; look["stroke-linecap"] = k[4] ? "round" : null; }
			if (k[0] === "path") {
				d = "";
				while ((op = number())) {
					if (op === 3) d += "C" + move() + " " + move() + " " + move();
					else if (op === 4) d += "Z";
					else if (op === 5) { d += "M" + move(); w = length(); d += "h" + w + "v" + length() + "h" + -w + "z"; }
					else d += (op === 1 ? "M" : "L") + move();
				}
				e.append(svg("path", look, { d: d }));
				continue;
			}
			move();
			if (k[0] === "rect") e.append(svg("rect", look, { x: x, y: y, width: length(), height: length(), rx: k[6] || null }));
			else if (k[0] === "circle") e.append(svg("circle", look, { cx: x, cy: y, r: length() }));
			else {
				from = at;
				at = text.indexOf("\n", from) + 1;
				e.append(svg("text", look, { x: x, y: y, "font-size": k[6], "text-anchor": k[7], "font-weight": k[8] ? 700 : null }, text.slice(from, at - 1)));
			}
		}
		return e;
	}

	/* ---- numbers as text ---- */
	function known(v) { return v !== null && v !== undefined && !isNaN(v); }
	function fixed(v, digits) { return known(v) ? v.toFixed(digits).replace(/^-(?=[0.]*$)/, "") : ""; }
	function round(v, digits) { return known(v) ? String(+v.toPrecision(digits)) : ""; } /* so many that count, none for nothing */
	function percent(v) { return known(v) ? fixed(100 * v, 2) : ""; }
	function signed(v, show) { return (v < 0 ? "\u2212" : "+") + show(Math.abs(v)); } /* show: how the size is written */
	/* What models are judged by, as the task has it: 91.25 of an accuracy, 0.913 of R2. metric(): with the unit. */
	function bare(v) { return known(v) ? fixed(data.metric.scale * v, data.metric.digits) : ""; }
	function metric(v) { return known(v) ? bare(v) + data.metric.unit : ""; }
	function cut(text, most) { return text.length > most ? text.slice(0, most - 1) + "\u2026" : text; }
	function whole(v) { return known(v) ? String(Math.round(v)).replace(/\B(?=(\d{3})+(?!\d))/g, ",") : ""; }
	function short(v) { /* 12.3k, 4.5M */
		var units = ["", "k", "M", "G", "T"], k = 0;
		if (!known(v)) return "";
		while (Math.abs(v) >= 999.5 && k < 4) { v /= 1000; k++; }
		return (k && v < 99.95 ? v.toFixed(1) : String(+v.toPrecision(3))) + units[k];
	}
	function seconds(s) {
		if (!known(s)) return "";
		if (s < 100) return s.toFixed(1) + " s";
		return s < 3600 ? Math.floor(s / 60) + " min " + Math.round(s % 60) + " s" :
			Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
	}
	function wilson(k, n) {
		if (!n) return [0, 1];
		var z = 1.959963984540054, p = k / n, d = 1 + z * z / n, m = (p + z * z / (2 * n)) / d;
		var h = z * Math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / d;
		return [Math.max(0, m - h), Math.min(1, m + h)];
	}

	/* ---- commands: a word as a shell reads it ---- */
	function quote(word) { return /^[A-Za-z0-9_.\/:@%+=,-]+$/.test(word) ? word : "'" + word.replace(/'/g, "'\\''") + "'"; }

	/* ---- state ---- */
	function on(event, f) { (listeners[event] = listeners[event] || []).push(f); }
	function tell(event) { (listeners[event] || []).forEach(function (f) { f(); }); }
	function set(patch) {
		var told = {};
		Object.keys(patch).forEach(function (k) {
			if (JSON.stringify(state[k]) === JSON.stringify(patch[k])) return;
			state[k] = patch[k];
			told[events[k]] = true;
		});
		if (told.judge) judged = placed = null;
		if (told.filter) seen = null;
		if (Object.keys(told).some(function (k) { return k !== "hover"; })) keep();
		Object.keys(told).forEach(tell);
	}
	/* What was pinned is known by hash and label: rows may have changed since. */
	function name(row) { return rows.hash[row] + " " + rows.label[row]; }
	function keep() {
		try {
			localStorage.setItem(place, JSON.stringify({ classes: state.classes, slice: state.slice, filter: state.filter,
				most: state.most, pinned: state.pinned.map(name) }));
		} catch (e) { /* memory is refused: the page works without */ }
	}
	function recall() {
		var old = null, by = {};
		try { old = JSON.parse(localStorage.getItem(place)); } catch (e) { /* as above */ }
		if (!old || typeof old !== "object") return;
		rows.label.forEach(function (l, row) { by[name(row)] = row; });
		state.pinned = (old.pinned || []).map(function (p) { return by[p]; }).filter(known);
		state.classes = (old.classes || []).filter(function (c) { return c < data.classes.length; });
		state.slice = known(old.slice) && old.slice < data.slices.length ? old.slice : null;
		state.filter = String(old.filter || "");
		state.most = known(old.most) ? +old.most : null;
	}
	function pin(row) {
		set({ pinned: state.pinned.indexOf(row) < 0 ? state.pinned.concat([row]) :
			state.pinned.filter(function (p) { return p !== row; }) });
	}
	function press(button, down) { button.setAttribute("aria-pressed", down ? "true" : "false"); }
	function showPin(b) {
		var pinned = state.pinned.indexOf(+b.dataset.pin) >= 0;
		press(b, pinned);
		b.textContent = pinned ? "\u2605" : "\u2606";
	}
	function pinButton(row) { /* a star */
		var b = make("button", { class: "pin", "data-pin": row, title: "pin or unpin", "aria-label": "pin " + rows.label[row] });
		showPin(b);
		return b;
	}
	function choose(row, go) {
		var models = document.getElementById("models");
		set({ current: row });
		if (go && rows.detailed[row] && models) models.scrollIntoView();
	}

	/* ---- judging: by everything, by some classes, by a slice ---- */
	/* Of a row: { value, low, high }, or null if it is not known. Right answers are counted over all seeds, but the
	 * examples are the same ones: intervals are for the number of examples, not of answers. */
	function judge(row) {
		if (!judged) judged = new Array(data.n);
		if (judged[row] === undefined) judged[row] = work(row);
		return judged[row];
	}
	function share(right, n, seeds) {
		var v = n ? right / (n * seeds) : 0, w = wilson(v * n, n);
		return n ? { value: v, low: w[0], high: w[1], n: n } : null;
	}
	function work(row) {
		var right = rows.right[row], seeds = rows.seeds[row], n = 0, k = 0;
		if (state.slice !== null) {
			right = rows.slice_right[row];
			return right && known(right[state.slice]) ? share(right[state.slice], data.slices[state.slice].n, seeds) : null;
		}
		if (!state.classes.length)
			return known(rows.accuracy[row]) ? { value: rows.accuracy[row], low: rows.low[row], high: rows.high[row] } : null;
		if (!right) return null;
		state.classes.forEach(function (c) { k += right[c]; n += data.class_n[c]; });
		return share(k, n, seeds);
	}
	function value(row) { var v = judge(row); return v ? v.value : null; }
	function column(key) { return function (row) { return rows[key][row]; }; }
	function selective() { return state.slice !== null || state.classes.length > 0; }
	function judgedBy() {
		if (state.slice !== null) return "slice " + data.slices[state.slice].name;
		if (!state.classes.length) return "all examples";
		return state.classes.length === 1 ? "class " + data.classes[state.classes[0]] : state.classes.length + " classes";
	}
	/* [first, last] place of a ranked row: rows whose intervals lie wholly above come first. null: unranked. */
	function places(row) {
		var highs, lows, v = judge(row);
		if (!placed) {
			placed = { low: [], high: [] };
			for (var i = 0; i < data.ranked; i++) {
				v = judge(i);
				if (v && known(v.low)) { placed.low.push(v.low); placed.high.push(v.high); }
			}
			placed.low.sort(function (a, b) { return a - b; });
			placed.high.sort(function (a, b) { return a - b; });
		}
		if (!selective()) return known(rows.first[row]) ? [rows.first[row], rows.last[row]] : null;
		v = judge(row);
		if (row >= data.ranked || !v) return null;
		lows = placed.low; highs = placed.high;
		return [1 + lows.length - above(lows, v.high), lows.length - below(highs, v.low)];
	}
	function above(list, v) { /* how many are at most v */
		var a = 0, b = list.length, m;
		while (a < b) { m = (a + b) >> 1; if (list[m] <= v) a = m + 1; else b = m; }
		return a;
	}
	function below(list, v) { /* how many are less than v */
		var a = 0, b = list.length, m;
		while (a < b) { m = (a + b) >> 1; if (list[m] < v) a = m + 1; else b = m; }
		return a;
	}
	function placeText(row) {
		var p = places(row);
		return !p ? "" : p[0] === p[1] ? String(p[0]) : p[0] + "\u2013" + p[1];
	}
	/* Darkness = accuracy (REMAP): 0 for the worst, 1 for the best of those that are judged. */
	function darkness() {
		var low = Infinity, high = -Infinity;
		for (var i = 0; i < data.n; i++) {
			var v = judge(i);
			if (v) { low = Math.min(low, v.value); high = Math.max(high, v.value); }
		}
		return function (row) {
			var v = judge(row);
			return v ? (high > low ? (v.value - low) / (high - low) : 1) : null;
		};
	}

	/* ---- filter ---- */
	function pattern() {
		if (!state.filter) return null;
		try { return new RegExp(state.filter, "i"); } catch (e) { return undefined; }
	}
	function visible(row) {
		var re;
		if (!seen) {
			re = pattern();
			seen = rows.label.map(function (l, i) {
				if (state.most !== null && rows.params[i] > state.most) return false;
				return !re || re.test(l) || re.test(data.studies[rows.study[i]]) || re.test(rows.summary[i]);
			});
		}
		return seen[row];
	}
	function badFilter() { return pattern() === undefined; }
	function filterError() { /* what is wrong with the expression, or "" */
		try { new RegExp(state.filter); return ""; } catch (e) { return e.message.replace(/^.*: /, ""); }
	}

	/* ---- copying: a button that takes `text` (or what it returns) along ---- */
	function copier(text, words, more) {
		function go() {
			var what = typeof text === "function" ? text() : text;
			if (navigator.clipboard && navigator.clipboard.writeText)
				navigator.clipboard.writeText(what).then(function () { say("copied"); }, function () { byHand(what); });
			else byHand(what);
		}
		function byHand(what) { /* no clipboard for a page from a file: a marked text, and the browser's own copying */
			var area = make("textarea", { class: "by-hand", readonly: true, rows: 2, "aria-label": "text to copy" });
			area.value = what;
			button.parentNode.parentNode.insertBefore(area, button.parentNode.nextSibling);
			area.select();
			if (document.execCommand("copy")) {
				area.remove();
				button.focus();
				say("copied");
				return;
			}
			say("press Ctrl+C");
			area.addEventListener("blur", function () { area.remove(); });
		}
		function say(t) { button.textContent = t; setTimeout(function () { button.textContent = words; }, 1800); }
		var button = make("button", { class: "noprint", type: "button", on: { click: go } }, more, words);
		return button;
	}

	/* ---- theme: as the system has it, until the reader says otherwise ---- */
	function dark() {
		var t = document.documentElement.dataset.theme;
		return t ? t === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
	}
	function css(name) { return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim(); }

	function view(id, start) { views.push([id, start]); }
	function start() {
		var theme = document.getElementById("theme");
		document.documentElement.classList.add("js");
		theme.addEventListener("click", function () {
			document.documentElement.dataset.theme = dark() ? "light" : "dark";
			tell("theme");
		});
		matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () { tell("theme"); });
		recall();
		all(".js-only").forEach(function (e) { e.hidden = false; });
		views.forEach(function (v) {
			var section = document.getElementById(v[0]);
			if (section) v[1](section, data[v[0]]);
		});
		document.addEventListener("click", function (e) {
			var b = e.target.closest("[data-choose], [data-pin]");
			if (b && b.dataset.choose !== undefined) choose(+b.dataset.choose, true);
			else if (b) pin(+b.dataset.pin);
		});
		on("pinned", function () { all("[data-pin]").forEach(showPin); });
		["judge", "filter", "pinned", "current"].forEach(tell);
		addEventListener("beforeprint", function () { all("details.print").forEach(function (d) { d.open = true; }); });
	}

	return { data: data, rows: rows, state: state, set: set, on: on, view: view, start: start, pin: pin, press: press, pinButton: pinButton, choose: choose, chips: chips,
		judge: judge, value: value, column: column, judgedBy: judgedBy, selective: selective, places: places, placeText: placeText, darkness: darkness,
		visible: visible, copier: copier, badFilter: badFilter, filterError: filterError, dark: dark, css: css, make: make, svg: svg, all: all, known: known,
		wilson: wilson, quote: quote, format: { fixed: fixed, round: round, percent: percent, signed: signed, bare: bare, metric: metric, cut: cut,
			whole: whole, short: short, seconds: seconds } };
})();
