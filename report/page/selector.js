/* report/page/selector.js - the bar above everything: classes and slices to judge by, a filter of models. */
nab.view("selector", function (section) {
	"use strict";
	var MANY = 12; /* from so many classes on they are in a panel of their own */
	var data = nab.data, make = nab.make, many = data.classes.length > MANY, panel = null, opener = null, picked = null;
	var classes = make("div", { class: "chips", id: "classes", role: "group", "aria-label": "classes that count" });
	var all = make("button", { class: "all", on: { click: function () { nab.set({ classes: [], slice: null }); } } }, "all");
	var filter = make("input", { id: "filter", type: "search", placeholder: "regular expression", title: "over names, studies and architectures", spellcheck: "false",
		autocomplete: "off", "aria-describedby": "filter-said" });
	var most = make("input", { id: "limit", type: "number", min: 0, step: 1000, placeholder: "parameters", "aria-label": "at most so many parameters" });
	var said = make("span", { id: "filter-said", class: "said", role: "status" });
	var clear = make("button", { id: "clear", on: { click: function () {
		filter.value = most.value = "";
		nab.set({ classes: [], slice: null, filter: "", most: null });
	} } }, "clear");
	var chosen = make("p", { class: "print-only chosen" }), wait = null;

	function toggle(c) {
		var old = nab.state.classes, at = old.indexOf(c);
		nab.set({ slice: null, classes: at < 0 ? old.concat([c]) : old.filter(function (k) { return k !== c; }) });
	}
	function chip(c) {
		var name = data.classes[c] || "(empty)", n = data.class_n[c];
		return make("button", { title: name + (n ? ", " + nab.format.whole(n) + " validation examples" : ""), "data-class": c,
			on: { click: function () { toggle(c); } } }, name, many && n ? make("span", { class: "dim" }, " " + nab.format.whole(n)) : null);
	}
	function slice(k) {
		var s = data.slices[k];
		return make("button", { class: "slice", title: "slice of " + nab.format.whole(s.n) + " validation examples", "data-slice": k,
			on: { click: function () { nab.set({ classes: [], slice: nab.state.slice === k ? null : k }); } } }, s.name);
	}

	/* ---- many classes: a panel with a search field ---- */
	function find(text) {
		nab.all("button", classes).forEach(function (b) {
			b.hidden = data.classes[+b.dataset.class].toLowerCase().indexOf(text.toLowerCase()) < 0;
		});
	}
	function open(yes) {
		panel.hidden = !yes;
		opener.setAttribute("aria-expanded", yes ? "true" : "false");
		if (yes) panel.querySelector("input").focus();
	}
	function makePanel() {
		var search = make("input", { type: "search", placeholder: "find a class", "aria-label": "find a class",
			on: { input: function () { find(search.value); } } });
		panel = make("div", { id: "class-panel", class: "panel card", hidden: true, role: "dialog", "aria-label": "classes that count" },
			make("div", { class: "bar" }, search,
				make("button", { on: { click: function () {
					var add = nab.all("button:not([hidden])", classes).map(function (b) { return +b.dataset.class; });
					nab.set({ slice: null, classes: nab.state.classes.concat(add.filter(function (c) { return nab.state.classes.indexOf(c) < 0; })) });
				} } }, "choose those shown"),
				make("button", { on: { click: function () { nab.set({ classes: [] }); } } }, "none"),
				make("span", { class: "space" }),
				make("button", { on: { click: function () { open(false); opener.focus(); } } }, "done")), classes);
		panel.addEventListener("keydown", function (e) { if (e.key === "Escape") { open(false); opener.focus(); } });
		document.addEventListener("pointerdown", function (e) {
			if (!panel.hidden && !panel.contains(e.target) && !opener.contains(e.target) && !picked.contains(e.target)) open(false);
		});
		picked = make("div", { class: "chips", role: "group", "aria-label": "chosen classes" });
		opener = make("button", { id: "class-open", "aria-expanded": "false", "aria-controls": "class-panel",
			on: { click: function () { open(panel.hidden); } } }, "classes\u2026");
	}
	function showPicked() {
		var list = nab.state.classes;
		opener.textContent = list.length ? list.length + " of " + data.classes.length + " classes\u2026" : data.classes.length + " classes\u2026";
		picked.replaceChildren();
		list.slice(0, 8).forEach(function (c) {
			picked.append(make("button", { "aria-pressed": "true", title: "take " + data.classes[c] + " away", on: { click: function () { toggle(c); } } },
				data.classes[c] + " \u00d7"));
		});
		if (list.length > 8) picked.append(make("span", { class: "dim" }, "and " + (list.length - 8) + " more"));
	}

	/* ---- what is chosen, as text and on the buttons ---- */
	function judged() {
		nab.all("[data-class]", section).forEach(function (b) {
			nab.press(b, nab.state.classes.indexOf(+b.dataset.class) >= 0);
		});
		nab.all("[data-slice]", section).forEach(function (b) {
			nab.press(b, nab.state.slice === +b.dataset.slice);
		});
		nab.press(all, !nab.selective());
		if (many) showPicked();
		tell();
	}
	function tell() {
		var s = nab.state, shown = 0, text = [], wrong = nab.filterError();
		for (var i = 0; i < data.n; i++) shown += nab.visible(i) ? 1 : 0;
		filter.setAttribute("aria-invalid", wrong ? "true" : "false");
		said.classList.toggle("bad", !!wrong);
		said.textContent = wrong ? "not a regular expression: " + wrong.toLowerCase() :
			nab.format.whole(shown) + " of " + nab.format.whole(data.n) + " models";
		clear.hidden = !nab.selective() && !s.filter && s.most === null;
		if (s.slice !== null) text.push("judged by slice \u201c" + data.slices[s.slice].name + "\u201d");
		else if (s.classes.length) text.push("judged by " + s.classes.map(function (c) { return "\u201c" + data.classes[c] + "\u201d"; }).join(", "));
		if (s.filter && !wrong) text.push("models that match \u201c" + s.filter + "\u201d");
		if (s.most !== null) text.push("at most " + nab.format.whole(s.most) + " parameters");
		chosen.textContent = text.length ? "Chosen for this print: " + text.join("; ") + "." : "";
		chosen.hidden = !text.length;
	}
	function typed() {
		clearTimeout(wait);
		wait = setTimeout(function () { nab.set({ filter: filter.value, most: most.value === "" ? null : Math.max(0, +most.value) }); }, 120);
	}

	data.classes.forEach(function (name, c) { classes.append(chip(c)); });
	if (many) makePanel();
	filter.value = nab.state.filter;
	if (nab.state.most !== null) most.value = nab.state.most;
	filter.addEventListener("input", typed);
	most.addEventListener("input", typed);
	section.setAttribute("aria-label", "What models are judged by, and which are shown");
	section.append(make("div", { class: "inside noprint" },
		data.classes.length ? make("div", { class: "part" }, make("span", { class: "k" }, "judged by"), all, many ? [opener, picked] : classes,
			data.slices.length ? make("div", { class: "chips", role: "group", "aria-label": "slices" }, make("span", { class: "k" }, "slices"),
				data.slices.map(function (s, k) { return slice(k); })) : null) : null,
		make("div", { class: "part" }, make("label", { class: "k", for: "filter" }, "show"), filter,
			make("label", { class: "k", for: "limit" }, "at most"), most, said, clear), panel), chosen);
	nab.on("judge", judged);
	nab.on("filter", tell);
	function height() { document.documentElement.style.setProperty("--bar", section.offsetHeight + "px"); }
	if (window.ResizeObserver) new ResizeObserver(height).observe(section);
	height();
});
