/* report/page/handcraft.js - the editor of models. What is drawn, counted, advised and refused comes from nab itself, in
 * WebAssembly (wasm/editor.c); the forms come from its option tables; changes are those of edits.js.
 */
nab.view("handcraft", function (section, data) {
	"use strict";
	var make = nab.make, quote = nab.quote, edits = nabEdits, engine = null, layers = [], kinds = {}, blocks = {}, view = {}, drag = null, opened = false, waiting = null;
	var place = "nab handcraft " + nab.data.key;
	/* doc: the model. log: what was done to the template, { words, edits (of nab edit) or null, key }. */
	var s = { doc: null, template: null, log: [], past: [], future: [], sel: "", marked: {}, open: {}, alone: {}, gap: null,
		result: null, search: "", badJson: null };
	var defaults = { filters: 16, units: 32, kernel: 3, size: 2, vocabulary: 1000, features: 32, padding: "same", rate: 0.25 };
	var familyWords = { conv: "Convolution", dense: "Dense", pool: "Pooling", norm: "Normalisation", activation: "Activation",
		dropout: "Dropout", merge: "Merge", reshape: "Reshape", recurrent: "Recurrent", embedding: "Embedding", other: "Other" };

	function ask(what, question) { return engine.ask(what, question); }
	function check(doc) { return engine.check(doc); }

	/* ---- the model and its history ---- */
	function judge(doc) { /* the model as nab writes it, if it can be written */
		var r = check(doc), now = doc, text;
		if (r.whole) {
			text = JSON.parse(r.text);
			now = text;
			if (!r.ok) now.outputs = doc.outputs;
		}
		s.result = r;
		s.doc = edits.relax(now);
	}
	function snapshot() { return JSON.stringify({ doc: s.doc, template: s.template, log: s.log, ok: s.result.ok }); }
	function restore(text) {
		var old = JSON.parse(text);
		s.template = old.template;
		s.log = old.log;
		s.doc = old.doc;
		s.result = check(s.doc);
		show();
	}
	function commit(doc, words, edit, key) {
		var last = s.log[s.log.length - 1], again = key && last && last.key === key && !s.future.length;
		if (!again) s.past.push(snapshot());
		else s.log.pop();
		s.future = [];
		s.log.push({ words: words, edits: edit, key: key || null });
		s.gap = null;
		judge(doc);
		show(key);
	}
	function undo() { if (s.past.length) { s.future.push(snapshot()); restore(s.past.pop()); } }
	function redo() { if (s.future.length) { s.past.push(snapshot()); restore(s.future.pop()); } }
	function start(template) {
		if (s.doc) s.past.push(snapshot());
		s.future = [];
		s.template = template;
		s.log = [];
		s.sel = "";
		s.marked = {};
		s.open = {};
		s.alone = {};
		judge(JSON.parse(template.text));
		show();
	}
	function blank() {
		var b = data.blank || { input: { type: "image", shape: [1, 28, 28] }, task: "classification", classes: nab.data.classes.length || 10 };
		return { row: null, text: JSON.stringify({ name: "handmade", inputs: { in: b.input },
			outputs: { out: { task: b.task, classes: b.classes } }, layers: [] }) };
	}
	function fromRow(row) {
		return { row: nab.rows.label[row], command: (nab.model(row) || {}).name || nab.rows.label[row], text: nab.unpack(data.models[data.of[row]]) };
	}
	function keep() {
		try {
			localStorage.setItem(place, JSON.stringify({ doc: s.doc, template: s.template, log: s.log, sel: s.sel, open: s.open }));
		} catch (e) { /* memory is refused: the page works without */ }
	}
	function recall() {
		try {
			var old = JSON.parse(localStorage.getItem(place));
			JSON.parse(old.template.text);
			s.template = old.template;
			s.log = old.log;
			s.open = old.open || {};
			judge(old.doc);
			s.sel = old.sel || "";
			return true;
		} catch (e) { return false; }
	}

	/* ---- places ---- */
	function rows() { return s.rows || (s.rows = edits.rows(s.doc)); }
	function row(path) { return rows().filter(function (r) { return r.path === path; })[0] || null; }
	function parentPath(r) { return r.ids.slice(0, -1).join("__"); }
	function nodes() { return (s.result && s.result.nodes) || []; }
	function node(path) { return nodes().filter(function (n) { return n.id === path; })[0] || null; }
	function group(path) { return ((s.result && s.result.groups) || []).filter(function (g) { return g.id === path; })[0] || null; }
	/* What stands at a place: the layer's own numbers, or the sum and the last shape of a block. */
	function facts(r) {
		var g = group(r.path), of, sum = { params: 0, macs: 0 };
		if (!r.def) return node(r.path);
		if (!g) return null;
		of = nodes().slice(g.first, g.first + g.n);
		of.forEach(function (n) { sum.params += n.params; sum.macs += n.macs; });
		sum.shape = of.length ? of[of.length - 1].shape : "";
		return sum;
	}
	function prefixed(ids, local) { return ids.slice(0, -1).concat([local]).join("__"); }
	/* One change at a place, and the same edit for every block that shares the definition. */
	function change(r, words, f, key) {
		var doc = edits.clone(s.doc), at, edit, all, lone = isAlone(r);
		all = lone ? [r.ids] : edits.twins(s.doc, r.ids);
		at = edits.reach(doc, r.ids, s.alone);
		edit = f(at, doc);
		if (edit && !Array.isArray(edit)) edit = [edit];
		if (edit) edit = [].concat.apply([], all.map(function (ids) { return edit.map(function (e) { return lift(e, ids); }); }));
		commit(doc, typeof words === "function" ? words() : words + (all.length > 1 ? " (in " + all.length + " blocks)" : ""), edit, key);
	}
	function isAlone(r) {
		return r.ids.length > 1 && r.ids.slice(0, -1).every(function (id, i) {
			var path = r.ids.slice(0, i + 1).join("__"), b = row(path);
			return s.alone[path] || edits.uses(s.doc, b.kind) < 2;
		});
	}
	/* The ids of an edit, seen from the whole model. */
	function lift(edit, ids) {
		var out = edits.clone(edit);
		["remove", "set", "swap", "duplicate", "arguments", "skip", "unskip", "after", "before"].concat(edit.swap ? ["with"] : [], edit.skip ? ["to"] : [])
			.forEach(function (k) { if (typeof out[k] === "string") out[k] = prefixed(ids, out[k]); });
		return out;
	}

	/* ---- changes ---- */
	function target() { /* the gap that new layers go into */
		var r, list;
		if (s.gap) {
			r = s.gap.parent ? row(s.gap.parent) : null;
			list = s.gap.parent ? r && r.def && r.def.layers : s.doc.layers;
			if (list && s.gap.g <= list.length) return s.gap;
		}
		r = row(s.sel);
		return r && !r.sealed ? { parent: parentPath(r), g: r.index + 1 } : { parent: "", g: s.doc.layers.length };
	}
	function listOf(gap) { return gap.parent ? row(gap.parent).def.layers : s.doc.layers; }
	function gapWords(gap) {
		var list = listOf(gap), where = gap.parent ? " in " + gap.parent : "";
		if (!list.length) return "as the first layer";
		return (gap.g ? "after " + list[gap.g - 1].id : "before " + list[0].id) + where;
	}
	function shapeAt(gap) { /* numbers of the tensor that comes into a gap */
		var list = listOf(gap), path = gap.g ? (gap.parent ? gap.parent + "__" : "") + list[gap.g - 1].id : "", f = gap.g && facts(row(path));
		var input = s.doc.inputs && s.doc.inputs[edits.inputName(s.doc)];
		if (f && f.shape) return f.shape.split("x").map(Number);
		return gap.g || gap.parent ? [] : [].concat((input && input.shape) || []);
	}
	function fresh(kind, gap) {
		var k = kinds[kind], value = {}, entry = {};
		k.options.forEach(function (o) {
			if (o.needed || o.name === "padding" && /conv|depthwise/.test(kind)) value[o.name] = defaults[o.name] !== undefined ? defaults[o.name] : Math.max(1, o.min);
			if (kind === "dropout") value.rate = defaults.rate;
			if (kind === "reshape" && o.name === "shape") value.shape = [-1];
			if (/groupnorm/.test(kind) && o.name === "groups") value.groups = 1;
		});
		entry[kind] = value;
		entry.id = edits.freshId(listOf(gap), kind);
		if (k.min > 1) entry.from = mergeFrom(gap);
		return entry;
	}
	/* A merge reads the layer before it and the nearest other one of the same shape. */
	function mergeFrom(gap) {
		var list = listOf(gap), pre = gap.parent ? gap.parent + "__" : "", last = gap.g ? list[gap.g - 1].id : null;
		var shape = last && (facts(row(pre + last)) || {}).shape, other = null;
		list.slice(0, Math.max(0, gap.g - 1)).forEach(function (e) {
			var f = facts(row(pre + e.id));
			if (f && f.shape === shape) other = e.id;
		});
		return [last || "in", other || (gap.parent ? "in" : edits.inputName(s.doc))];
	}
	/* A definition with parameters into the model, under a name of its own and with all it uses; returns that name. */
	function embed(doc, name, library) {
		var def = edits.clone(library(name)), own, k = 1;
		doc.blocks = doc.blocks || {};
		doc.sources = doc.sources || {};
		while (doc.blocks[name + "_" + k] || library(name + "_" + k)) k++;
		own = name + "_" + k;
		if (!doc.sources[name]) doc.sources[name] = edits.clone(def);
		def.of = name;
		doc.blocks[own] = def;
		def.layers = def.layers.map(function (e) {
			var kind = typeof e === "string" ? e : edits.kind(e), out = {};
			if (kinds[kind] || !library(kind)) return e;
			if (typeof e === "string") return embed(doc, kind, library);
			Object.keys(e).forEach(function (x) { out[x] = e[x]; });
			out[embed(doc, kind, library)] = out[kind];
			delete out[kind];
			return out;
		});
		return own;
	}
	function library(name) { return (s.doc.sources && s.doc.sources[name]) || blocks[name] || null; }
	function freshArguments(name, gap) {
		var out = {}, channels = shapeAt(gap)[0];
		Object.keys(library(name).with || {}).forEach(function (a) {
			if (library(name).with[a] === null) out[a] = a === "filters" && channels > 3 ? channels : 16;
		});
		return out;
	}
	function insertAt(gap, item) {
		var doc = edits.clone(s.doc), list = listOf(gap), ids = gap.parent ? row(gap.parent).ids.concat(["x"]) : ["x"], at, entry = {}, plain, edit, all;
		var around = list.length ? row((gap.parent ? gap.parent + "__" : "") + list[0].id) : null;
		if (item.block) {
			plain = { id: edits.freshId(list, item.block) };
			plain[item.block] = freshArguments(item.block, gap);
			entry[embed(doc, item.block, library)] = plain[item.block];
			entry.id = plain.id;
		} else {
			entry = fresh(item.kind, gap);
			if (item.options) entry[item.kind] = Object.assign(entry[item.kind], item.options());
		}
		all = !around || isAlone(around) ? [ids] : edits.twins(s.doc, around.ids);
		at = edits.reach(doc, ids, s.alone);
		edit = edits.insert(at, gap.g, entry);
		if (edit && plain) edit.insert = plain;
		s.sel = (gap.parent ? gap.parent + "__" : "") + entry.id;
		s.marked = {};
		if (gap.parent) s.open[gap.parent] = true;
		commit(doc, "added " + (item.block || item.kind) + " " + entry.id + ", " + gapWords(gap),
			edit && all.map(function (ids2) { return lift(edit, ids2.slice(0, -1).concat(["x"])); }));
	}
	function remove(r) {
		if (r.sealed) return;
		if (r.ids.length > 1 && r.list.length < 2) return say("A block keeps at least one layer: remove the block instead.");
		s.sel = r.index > 0 ? prefixed(r.ids, r.list[r.index - 1].id) : r.list[1] ? prefixed(r.ids, r.list[1].id) : "";
		change(r, "removed " + r.path, function (at) { return edits.remove(at, at.index); });
	}
	function moveTo(r, g) {
		if (r.sealed || g === r.index || g === r.index + 1 || g < 0 || g > r.list.length) return;
		s.sel = r.path;
		change(r, "moved " + r.path + " " + gapWords({ parent: parentPath(r), g: g }), function (at) { return edits.move(at, at.index, g); });
	}
	function duplicate(r) {
		var id;
		if (r.sealed) return;
		change(r, function () { return "duplicated " + r.path; }, function (at) {
			var copy = edits.clone(at.list[at.index]), edit;
			id = copy.id = edits.freshId(at.list, r.def ? r.def.of || r.kind : r.kind);
			if ([].concat(copy.from || []).length < 2) delete copy.from;
			edit = edits.insert(at, at.index + 1, copy);
			s.sel = prefixed(r.ids, id);
			return r.def ? { duplicate: r.entry.id } : edit;
		});
	}
	function setOption(r, name, value) {
		change(r, (value === undefined ? "reset " : "set ") + r.path + "." + name + (value === undefined ? "" : " to " + JSON.stringify(value)), function (at) {
			var entry = at.list[at.index], o = {};
			entry[r.kind] = Object.assign({}, entry[r.kind]);
			if (value === undefined) delete entry[r.kind][name];
			else entry[r.kind][name] = value;
			o[name] = value;
			return value === undefined ? null : { set: r.entry.id, options: o };
		}, "set " + r.path + " " + name);
	}
	function argumentsOf(r) { /* of a block: { with: defaults, args: as they are }, or null if it has none */
		var of = r.def.with ? r.kind : r.def.of || r.kind, src = r.def.with ? r.def : library(of);
		var args = r.def.with ? edits.options(r.entry) : r.def.args;
		if (!src || !src.with || !args || !Object.keys(args).length) return null;
		return { of: r.def.of || of, with: src.with, args: Object.assign({}, src.with, args) };
	}
	function setArgument(r, name, value) {
		var a = argumentsOf(r), old = edits.clone(a.args);
		if (value === undefined) old[name] = a.with[name];
		else old[name] = value;
		change(r, "set " + name + " of " + r.path + " to " + JSON.stringify(value), function (at, doc) {
			var entry = at.list[at.index], kind = edits.kind(entry), own, id = {};
			own = embed(doc, a.of, library);
			delete entry[kind];
			entry[own] = old;
			id[name] = old[name];
			return { arguments: r.entry.id, set: id };
		}, "argument " + r.path + " " + name);
	}
	function connect(r, from, words, edit) {
		change(r, words, function (at) {
			var entry = at.list[at.index];
			entry.from = from;
			if (from.length === 1 && from[0] === edits.before(at, at.index)) delete entry.from;
			return edit || null;
		});
	}
	function skip(r, source, merge) {
		change(r, "connected " + source + " to " + r.path + (merge === "add" ? " by addition" : " by concatenation"), function (at) {
			var entry = {}, id = edits.freshId(at.list, merge);
			entry[merge] = merge === "add" ? { project: true } : {};
			entry.id = id;
			entry.from = [r.entry.id, source];
			edits.insert(at, at.index + 1, entry, true);
			s.sel = prefixed(r.ids, id);
			return { skip: source, to: r.entry.id, merge: merge };
		});
	}

	/* ---- mistakes and advice, by place ---- */
	/* "layers[2] -> residual.layers[0].conv2d.kernel" */
	function locate(where) {
		var list = s.doc.layers, path = [], rest = "";
		where.split(" -> ").some(function (part, depth) {
			var m = /(?:^|\.)layers\[(\d+)\](?:\.(.*))?$/.exec(part), entry, def;
			entry = m && list && list[+m[1]];
			if (!entry || typeof entry !== "object") return true;
			path.push(entry.id);
			rest = m[2] || "";
			def = edits.definition(s.doc, entry);
			list = def && def.layers;
			return !list;
		});
		return { path: path.join("__"), option: rest.split(".")[1] || null };
	}
	function problems() {
		var out = [], r = s.result;
		(r.errors || []).forEach(function (e) {
			var at = locate(e.where);
			out.push({ bad: true, path: at.path, option: at.option, msg: e.msg });
		});
		if (!s.doc.layers.length) out = [];
		(r.lint || []).forEach(function (e) { out.push({ bad: false, path: e.where, option: null, msg: e.msg }); });
		return out;
	}

	/* ---- drawing the editor ---- */
	function chip(kind, name) {
		var k = kinds[kind];
		return make("span", { class: "hc-chip " + (k ? k.family : "block"), "aria-hidden": "true", title: name || kind }, k ? k.symbol : "\u25a6");
	}
	function button(text, f, more) { return make("button", Object.assign({ type: "button", on: { click: f } }, more || {}), text); }
	function fill(e) { /* like replaceChildren, for whatever make() takes */
		e.replaceChildren.apply(e, Array.prototype.slice.call(make("div", Array.prototype.slice.call(arguments, 1)).childNodes));
	}
	function say(text) { view.live.textContent = text; }
	function summary(r) {
		var n = node(r.path), words, at;
		if (r.def) {
			words = (r.def.of || r.kind);
			at = argumentsOf(r);
			return words + (at ? " " + Object.keys(at.args).map(function (a) { return a + " " + brief(at.args[a]); }).join(", ") : "");
		}
		if (n) return n.summary;
		return r.kind + " " + Object.keys(edits.options(r.entry)).map(function (o) { return o + " " + brief(edits.options(r.entry)[o]); }).join(", ");
	}
	function brief(v) { return typeof v === "string" ? v : JSON.stringify(v); }
	function fromWords(r) {
		var from = r.entry.from, before = r.index ? r.list[r.index - 1].id : r.input;
		if (from === undefined) return null;
		from = [].concat(from);
		return from.length === 1 && from[0] === before ? null : "\u2190 " + from.join(", ");
	}
	function rowElement(r, found) {
		var f = facts(r), mine = found.filter(function (p) { return p.path === r.path; }), from = fromWords(r), open = !!s.open[r.path];
		var below = !open && r.def ? found.filter(function (p) { return p.path.indexOf(r.path + "__") === 0; }) : [];
		return make("div", { class: "hc-row" + (r.path === s.sel ? " sel" : "") + (s.marked[r.path] ? " marked" : "") + (mine.concat(below).some(bad) ? " bad" : ""),
			role: "treeitem", tabindex: r.path === s.sel ? "0" : "-1", "data-path": r.path, "aria-level": r.depth + 1,
			"aria-selected": r.path === s.sel || !!s.marked[r.path] ? "true" : "false", "aria-expanded": r.def ? String(open) : null,
			"aria-label": r.entry.id + ", " + summary(r) + (f && f.shape ? ", output " + f.shape : "") + mine.map(function (p) { return ", " + p.msg; }).join("") },
			make("div", { class: "hc-line" },
				r.def ? button(open ? "\u25be" : "\u25b8", function (e) { e.stopPropagation(); s.open[r.path] = !open; show(); },
					{ class: "hc-fold", tabindex: "-1", "aria-label": (open ? "fold " : "unfold ") + r.entry.id }) : make("span", { class: "hc-grip", "aria-hidden": "true" }, "\u22ee\u22ee"),
				chip(r.kind, r.def ? r.def.of : null),
				make("span", { class: "hc-id" }, r.entry.id),
				make("span", { class: "hc-sum" }, summary(r)),
				from ? make("span", { class: "hc-from", title: "what it reads" }, from) : null,
				make("span", { class: "hc-shape", title: "output" }, f && f.shape ? f.shape.replace(/x/g, "\u00d7") : ""),
				make("span", { class: "hc-params", title: "parameters" }, f ? (f.params ? nab.format.short(f.params) : "\u00b7") : "")),
			mine.map(function (p) { return make("div", { class: "hc-msg " + (p.bad ? "bad" : "hint") }, p.msg); }),
			below.length ? make("div", { class: "hc-msg " + (below.some(bad) ? "bad" : "hint") }, below.length + " inside: " + below[0].msg) : null);
	}
	function bad(p) { return p.bad; }
	function gapElement(parent, g, depth) {
		var t = target(), here = t.parent === parent && t.g === g;
		return make("div", { class: "hc-gap" + (here ? " here" : "") + (depth ? " in" : ""), role: "presentation", "data-parent": parent, "data-g": g },
			button("+", function () { s.gap = { parent: parent, g: g }; show(); view.search.focus(); },
				{ tabindex: "-1", "aria-label": "new layers " + gapWords({ parent: parent, g: g }), title: "put new layers here" }));
	}
	function showTree() {
		var found = problems(), focus = view.tree.contains(document.activeElement);
		function part(parent, list, depth, sealed) {
			var box = make("div", { class: depth ? "hc-inner" : "hc-outer", role: depth ? "group" : null });
			list.forEach(function (e, i) {
				var r = row((parent ? parent + "__" : "") + e.id);
				if (!r) return;
				if (!sealed) box.appendChild(gapElement(parent, i, depth));
				box.appendChild(rowElement(r, found));
				if (r.def && s.open[r.path]) {
					if (edits.twins(s.doc, r.ids.concat([r.def.layers[0].id])).length > 1) box.appendChild(sharing(r));
					box.appendChild(part(r.path, r.def.layers, depth + 1, sealed || !!r.def.with));
				}
			});
			if (!sealed) box.appendChild(gapElement(parent, list.length, depth));
			return box;
		}
		fill(view.tree, 
			make("div", { class: "hc-end" }, "input ", make("b", inputText())),
			part("", s.doc.layers, 0, false),
			s.doc.layers.length ? make("div", { class: "hc-end" }, "output ", make("b", classesOf() + (s.doc.outputs && taskOf() === "classification" ? " classes" : " numbers")),
				found.filter(function (p) { return !p.path; }).map(function (p) { return make("div", { class: "hc-msg " + (p.bad ? "bad" : "hint") }, p.msg); })) :
				make("p", { class: "hc-empty" }, "No layers yet. Choose one from the palette: click it, press Enter on it, or drag it here."));
		if (focus) focusRow();
	}
	function sharing(r) {
		var n = edits.twins(s.doc, r.ids.concat([r.def.layers[0].id])).length, lone = !!s.alone[r.path];
		return make("div", { class: "hc-share" }, "changes in here hold for ",
			button("all " + n + " copies", function () { delete s.alone[r.path]; show(); }, { "aria-pressed": String(!lone) }), " ",
			button("this copy", function () { s.alone[r.path] = true; show(); }, { "aria-pressed": String(lone) }));
	}
	function focusRow() {
		var e = view.tree.querySelector(".hc-row.sel") || view.tree.querySelector(".hc-row");
		if (e) e.focus({ preventScroll: true });
	}
	function inputText() {
		var i = s.doc.inputs ? s.doc.inputs[edits.inputName(s.doc)] : { shape: s.doc.input };
		return [].concat(i.shape || []).join("\u00d7");
	}
	function output() { return s.doc.outputs ? s.doc.outputs[Object.keys(s.doc.outputs)[0]] : {}; }
	function classesOf() { return s.doc.outputs ? output().classes : s.doc.classes; }
	function taskOf() { return output().task; }

	/* ---- form of the chosen layer ---- */
	function parse(text, type) {
		var t = text.trim(), list;
		if (t === "") return undefined;
		if (type === "text" || type === "enum") return t;
		if (/^-?\d+(\.\d+)?(e-?\d+)?$/i.test(t)) return +t;
		if (t === "true" || t === "false") return t === "true";
		list = t.replace(/^\[|\]$/g, "").split(/[\s,x\u00d7]+/);
		if (list.length > 1 && list.every(function (x) { return /^-?\d+$/.test(x); })) return list.map(Number);
		return t;
	}
	function written(v) { return v === undefined || v === null ? "" : Array.isArray(v) ? v.join(", ") : String(v); }
	function bounds(o) {
		if (o.type === "int" || o.type === "real") return o.min + " to " + (o.max >= 1e9 ? "any" : o.max);
		return { pair: "one number or two: rows, columns", pad: "same, valid, or numbers", ints: "numbers" }[o.type] || "";
	}
	function field(label, help, control, key) {
		control.id = "hc-" + key;
		control.setAttribute("aria-describedby", "hc-" + key + "-msg");
		return make("div", { class: "hc-field" }, make("label", { for: "hc-" + key, title: help }, label), control,
			make("div", { class: "hc-err", id: "hc-" + key + "-msg", "data-option": key, role: "status" }),
			help ? make("div", { class: "hc-help" }, help) : null);
	}
	function input(value, type, f) {
		return make("input", { type: "text", value: written(value), autocomplete: "off", spellcheck: "false", inputmode: type === "int" ? "numeric" : null,
			on: { input: function (e) { f(parse(e.target.value, type)); } } });
	}
	function select(options, value, f, label) {
		var e = make("select", { "aria-label": label || null, on: { change: function () { f(e.value); } } },
			options.map(function (o) { return make("option", { value: o, selected: o === value }, o); }));
		e.value = value;
		return e;
	}
	function optionField(r, o) {
		var value = edits.options(r.entry)[o.name], now = value === undefined ? o.default : value, control;
		function put(v) { setOption(row(r.path), o.name, v); }
		if (o.type === "bool") {
			control = make("input", { type: "checkbox", on: { change: function (e) { put(e.target.checked); } } });
			control.checked = now === true;
		} else if (o.type === "enum") control = select(o.names, now, put);
		else control = input(now, o.type, put);
		return field(o.name, o.help + (bounds(o) ? " (" + bounds(o) + ")" : ""), control, o.name);
	}
	function argumentFields(r) {
		var a = argumentsOf(r);
		if (!a) return make("p", { class: "hc-help" }, "Its inside was edited, or it has no arguments: unfold it to change its layers.");
		return Object.keys(a.args).map(function (name) {
			var v = a.args[name];
			return field(name, "", input(typeof v === "object" && !Array.isArray(v) ? JSON.stringify(v) : v, typeof v === "string" ? "text" : "int", function (x) {
				if (typeof x === "string" && /^[{[]/.test(x)) try { x = JSON.parse(x); } catch (e) { return; }
				setArgument(row(r.path), name, x);
			}), name);
		});
	}
	function sources(r) { /* what a layer at this place may read */
		return [r.input].concat(r.list.slice(0, r.index).map(function (e) { return e.id; }));
	}
	function inputsPart(r) {
		var at = { list: r.list, input: r.input }, from = edits.reads(at, r.index), k = kinds[r.kind], most = k ? k.max : (r.def.inputs || ["in"]).length;
		var least = k ? k.min : most, all = sources(r), other = all[all.length - 2] || all[0], source, merge;
		function put(list, words, edit) { connect(row(r.path), list, words, edit); }
		return make("div", { class: "hc-inputs" }, make("h4", "Reads"),
			from.map(function (f, i) {
				var options = all.indexOf(f) < 0 ? all.concat([f]) : all;
				return make("div", { class: "hc-wire" }, select(options, f, function (v) {
					var now = from.slice();
					now[i] = v;
					put(now, r.path + " reads " + now.join(", "));
				}, "input " + (i + 1) + " of " + r.entry.id),
				from.length > least ? button("\u00d7", function () {
					put(from.filter(function (x, j) { return j !== i; }), "took " + f + " away from " + r.path, from.length > 2 ? null : { unskip: r.entry.id, input: i });
				}, { "aria-label": "do not read " + f, title: "take this input away" }) : null);
			}),
			r.kind === "add" ? button("project other shapes", function () {
				change(row(r.path), "projections at " + r.path, function (at) { at.list[at.index].add = { project: true }; return null; });
			}, { title: "inputs of another shape go through a 1x1 convolution and a batch norm" }) : null,
			from.length < most && least > 1 ? button("add an input", function () { put(from.concat([other]), r.path + " also reads " + other); }) : null,
			r.index > 0 || r.ids.length > 1 || all.length > 1 ? make("div", { class: "hc-wire" }, make("span", { class: "k" }, "skip connection from"),
				source = select(all.filter(function (x) { return x !== r.entry.id; }), all[Math.max(0, all.length - 2)], function () {}, "skip connection from"),
				merge = select(["add", "concat"], "add", function () {}, "merged by"),
				button("connect", function () { skip(row(r.path), source.value, merge.value); })) : null);
	}
	function showForm() {
		var r = row(s.sel), k = r && kinds[r.kind];
		if (!r) {
			fill(view.form, make("p", { class: "hc-help" }, s.doc.layers.length ? "Choose a layer to change its options." : "The options of the layer that is chosen stand here."));
			return;
		}
		fill(view.form, 
			make("div", { class: "hc-head" }, chip(r.kind, r.def ? r.def.of : null), make("h3", r.entry.id), make("span", { class: "dim" }, r.def ? "block" : r.kind)),
			make("p", { class: "hc-help" }, k ? k.help : r.def && (r.def.note || (library(r.def.of || r.kind) || {}).note) || (r.def ? "an instance of " + (r.def.of || r.kind) : "")),
			r.sealed ? make("p", { class: "hc-help" }, "It belongs to a block that does not fit yet: change the block's arguments first.") : null,
			r.sealed ? null : make("div", { class: "hc-acts" },
				button("\u2191", function () { moveTo(row(r.path), r.index - 1); }, { "aria-label": "move up", title: "move up (Alt+\u2191)", disabled: r.index === 0 }),
				button("\u2193", function () { moveTo(row(r.path), r.index + 2); }, { "aria-label": "move down", title: "move down (Alt+\u2193)", disabled: r.index === r.list.length - 1 }),
				button("duplicate", function () { duplicate(row(r.path)); }, { title: "duplicate (D)" }),
				button("remove", function () { remove(row(r.path)); }, { title: "remove (Delete)" })),
			r.sealed ? null : r.def ? argumentFields(r) : k ? k.options.filter(function (o) { return o.type !== "json"; }).map(function (o) { return optionField(r, o); }) : null,
			r.sealed ? null : inputsPart(r));
	}
	function showErrors() { /* beside the fields, while one of them is typed in */
		var mine = problems().filter(function (p) { return p.path === s.sel && p.bad; });
		nab.all("[data-option]", view.form).forEach(function (e) {
			var hit = mine.filter(function (p) { return p.option === e.dataset.option; }), control = document.getElementById("hc-" + e.dataset.option);
			e.textContent = hit.map(function (p) { return p.msg; }).join("; ");
			if (control) control.setAttribute("aria-invalid", hit.length ? "true" : "false");
		});
	}

	/* ---- the rest ---- */
	function tile(key, value, old, good) {
		var d = !nab.known(old) || !nab.known(value) || old === value ? "" : nab.format.signed(value - old, nab.format.short);
		return make("div", { class: "tile card" }, make("div", { class: "k" }, key), make("div", { class: "v" }, nab.known(value) ? nab.format.short(value) : "\u2013"),
			make("div", { class: "d" + (d ? (value < old) === good ? " less" : " more" : "") }, d || "\u00a0", d ? " to the template" : ""));
	}
	function showTop() {
		var r = s.result, t = s.templateResult && s.templateResult.ok ? s.templateResult : {}, svg;
		view.tiles.replaceChildren(tile("parameters", r.params, t.params, true), tile("multiply-adds", r.macs, t.macs, true),
			tile("bytes of weights", r.weight_bytes, t.weight_bytes, true), tile("layers", r.layers, t.layers, true));
		if (r.svg) { /* drawn by nab itself: its texts are escaped, and what comes of a parser runs no scripts */
			svg = new DOMParser().parseFromString(r.svg, "text/html").querySelector("svg");
			view.snac.replaceChildren(svg);
		} else if (!s.doc.layers.length) view.snac.replaceChildren();
		view.snac.classList.toggle("old", !r.svg && s.doc.layers.length > 0);
		view.state.textContent = r.ok ? "sound" : s.doc.layers.length ? "not yet a model" : "empty";
		view.state.className = "badge " + (r.ok ? "good" : "bad");
	}
	/* The same words about several layers stand together. */
	function alike(found) {
		var by = {}, out = [];
		found.forEach(function (p) {
			var key = p.msg.replace(/[A-Za-z0-9_]+_\d+\b/g, "*");
			if (!by[key]) out.push(by[key] = []);
			by[key].push(p);
		});
		return out;
	}
	function toPlace(path) { return button(path, function () { choose(path, true); }, { class: "link" }); }
	function showProblems() {
		var found = problems(), fix = repair();
		fill(view.problems, 
			found.length ? make("ul", { class: "find" }, alike(found).map(function (list) {
				return make("li", { class: list[0].bad ? "bad" : null }, list[0].path ? toPlace(list[0].path) : make("b", "model"), " ", list[0].msg,
					list.length > 1 ? make("details", make("summary", list.length - 1 + " more alike"), list.slice(1).map(function (p) { return [toPlace(p.path), " "]; })) : null);
			})) : make("p", { class: "hc-help" }, s.doc.layers.length ? "nothing to say" : "\u2013"),
			fix ? make("div", { class: "hc-repair" }, make("b", "nab can repair this"), make("ul", fix.repairs.map(function (x) { return make("li", x); })),
				button("repair", function () { take(fix); })) : null);
	}
	/* All edits since the template in the terms of nab edit, or null. */
	function editList() {
		var out = [];
		return s.template.row !== null && s.log.every(function (l) { out = out.concat(l.edits || []); return l.edits; }) ? out : null;
	}
	function apply(model, list) { /* what nab edit makes of edits */
		try {
			return list && list.length ? ask("edit", JSON.stringify({ model: model, edits: list })) : null;
		} catch (e) { return null; }
	}
	function edited() { return apply(JSON.parse(s.template.text), editList()); }
	/* The last sound model and what was done since, by nab edit, which adapts what no longer fits. */
	function repair() {
		var i, old, list = [], r;
		if (s.result.ok || !s.doc.layers.length) return null;
		for (i = s.past.length - 1; i >= 0; i--) {
			old = JSON.parse(s.past[i]);
			if (old.ok) break;
		}
		if (i < 0 || JSON.stringify(old.template) !== JSON.stringify(s.template)) return null;
		if (!s.log.slice(old.log.length).every(function (l) { list = list.concat(l.edits || []); return l.edits; })) return null;
		r = apply(old.doc, list);
		return r && r.ok ? r : null;
	}
	function take(r) {
		commit(JSON.parse(r.text), "repaired: " + r.repairs.join("; "), []);
		say("repaired");
	}
	function showLog() {
		fill(view.log, s.log.length ? make("ol", s.log.map(function (l) { return make("li", l.words); })) : make("p", { class: "hc-help" }, "nothing changed yet"));
		view.count.textContent = s.log.length ? " " + s.log.length : "";
	}
	function json() { return s.result.whole && s.result.ok ? s.result.text : JSON.stringify(s.doc, null, 2) + "\n"; }
	function file() { return (String(s.doc.name || "handmade").replace(/[^A-Za-z0-9_-]+/g, "-").replace(/^-+|-+$/g, "") || "handmade") + ".json"; }
	function flags(e) {
		var op = Object.keys(e)[0], out = op === "set" || op === "insert" ? "" : "--" + op + " " + quote(e[op]);
		if (op === "insert") out = "--insert " + quote(JSON.stringify(e.insert));
		Object.keys(e).slice(1).forEach(function (k) {
			if (k === "options" || k === "set") Object.keys(e[k]).forEach(function (o) {
				out += (out ? " " : "") + "--set " + quote((op === "set" ? e.set + "." : "") + o + "=" + brief(e[k][o]));
			});
			else out += " --" + k + " " + quote(brief(e[k]));
		});
		return out;
	}
	function commands() {
		var own = file(), chosen = Object.keys(s.marked).length ? Object.keys(s.marked) : s.sel ? [s.sel] : [], changed = s.log.length > 0;
		var stored = s.template.row !== null, what = stored && !changed ? quote(s.template.command) + " --store " + quote(data.store) : own, out = [];
		var proof = changed && stored ? edited() : null, same = proof && proof.ok && s.result.ok && proof.hash === s.result.hash;
		chosen = chosen.filter(function (p) { return row(p); }).map(quote);
		if (changed || !stored) {
			out.push(["check the file", "nab validate " + own]);
			if (same) out.push(["make it from the stored model", "nab edit " + quote(s.template.command) + " --store " + quote(data.store) + " " + editList().map(flags).join(" ") + " -o " + own]);
			if (same) out.push(["and train it under its conditions", "nab edit " + quote(s.template.command) + " --store " + quote(data.store) + " " + editList().map(flags).join(" ") + " --train"]);
			out.push(["train the file", "nab train " + own + " --study STUDY.json"]);
		}
		out.push(["what each part is worth" + (chosen.length ? ", of what is chosen" : ""), "nab ablate " + what + (chosen.length ? " --only " + chosen.join(",") : "") + (changed || !stored ? " --study STUDY.json" : "")]);
		out.push(["random variations" + (chosen.length ? " of what is chosen" : ""), "nab vary " + what + (chosen.length ? " --layers " + chosen.join(",") : "") + " --count 10" + (changed || !stored ? " --study STUDY.json" : "")]);
		out.push(["as code", "nab export " + what + " --to pytorch -o " + own.replace(/\.json$/, "")]);
		if (!s.result.ok) return { list: [], note: "The commands come back when the model is sound." };
		return { list: out, note: changed && stored && !same ? "These changes cannot be written as flags of nab edit one by one: use the JSON file." : "" };
	}
	function showCommands() {
		var c = s.doc.layers.length ? commands() : { list: [], note: "" };
		fill(view.commands, make("ul", { class: "hc-cmds" }, c.list.map(function (x) {
			return make("li", make("span", { class: "k" }, x[0]), make("code", x[1]), nab.copier(x[1], "copy", { "aria-label": "copy: " + x[0] }));
		})), c.note ? make("p", { class: "hc-help" }, c.note) : null);
	}
	function download() {
		var a = make("a", { download: file(), href: URL.createObjectURL(new Blob([json()], { type: "application/json" })) });
		a.click();
		setTimeout(function () { URL.revokeObjectURL(a.href); }, 1000);
	}
	function showJson() {
		if (document.activeElement !== view.json) view.json.value = json();
		view.jsonBad.textContent = s.badJson || "";
		view.name.value !== s.doc.name && document.activeElement !== view.name && (view.name.value = s.doc.name || "");
		if (document.activeElement !== view.shape) view.shape.value = inputText().replace(/\u00d7/g, ", ");
		if (document.activeElement !== view.classes) view.classes.value = classesOf();
	}
	function show(key) {
		var inside = section.contains(document.activeElement), row0;
		s.rows = null;
		if (s.sel && !row(s.sel)) s.sel = "";
		s.templateResult = s.template.text === s.templateText ? s.templateResult : check(JSON.parse(s.template.text));
		s.templateText = s.template.text;
		showTop();
		showTree();
		if (!key || !view.form.contains(document.activeElement)) showForm();
		showErrors();
		showProblems();
		showLog();
		showJson();
		showCommands();
		view.undo.disabled = !s.past.length;
		view.redo.disabled = !s.future.length;
		view.restore.disabled = !s.log.length;
		view.where.textContent = gapWords(target());
		view.from.value = s.template.row === null ? "" : String(templateRow());
		row0 = view.tree.querySelector(".hc-row.sel");
		if (inside && document.activeElement === document.body && row0) row0.focus({ preventScroll: true });
		keep();
	}
	function templateRow() {
		var found = Object.keys(data.of).filter(function (r) { return nab.rows.label[r] === s.template.row; })[0];
		return found === undefined ? "" : found;
	}
	function choose(path, go) {
		s.sel = path;
		s.gap = null;
		s.marked = {};
		path.split("__").slice(0, -1).reduce(function (p, id) { p = (p ? p + "__" : "") + id; s.open[p] = true; return p; }, "");
		show();
		if (go) { focusRow(); view.tree.querySelector(".hc-row.sel").scrollIntoView({ block: "nearest" }); }
	}
	function mark(path) {
		if (s.sel && !Object.keys(s.marked).length) s.marked[s.sel] = true;
		if (s.marked[path]) delete s.marked[path];
		else s.marked[path] = true;
		s.sel = path;
		show();
	}

	/* ---- palette ---- */
	function items() {
		var out = [], own = {};
		layers.forEach(function (k) { if (k.name !== "choice") out.push({ kind: k.name, family: k.family, name: k.name, help: k.help }); });
		out.push({ kind: "dense", family: "dense", name: "classifier", help: "a dense layer with as many units as there are classes",
			options: function () { return { units: classesOf() }; } });
		Object.keys(blocks).forEach(function (b) { own[b] = blocks[b]; });
		Object.keys(s.doc && s.doc.sources || {}).forEach(function (b) { own[b] = s.doc.sources[b]; });
		Object.keys(own).forEach(function (b) { out.push({ block: b, family: "block", name: b, help: own[b].note || "a block: " + Object.keys(own[b].with || {}).join(", ") }); });
		return out;
	}
	function showPalette() {
		var q = s.search.trim().toLowerCase(), by = {}, order = ["conv", "dense", "pool", "norm", "activation", "dropout", "merge", "block", "reshape", "recurrent", "embedding", "other"];
		items().forEach(function (i) {
			if (!q || (i.name + " " + i.help + " " + (familyWords[i.family] || "block")).toLowerCase().indexOf(q) >= 0) (by[i.family] = by[i.family] || []).push(i);
		});
		s.first = null;
		fill(view.palette, order.filter(function (f) { return by[f]; }).map(function (f) {
			by[f].sort(function (a, b) { return (b.name.indexOf(q) === 0) - (a.name.indexOf(q) === 0); });
			if (!s.first || q && by[f][0].name.indexOf(q) === 0 && s.first.name.indexOf(q) !== 0) s.first = by[f][0];
			return make("div", { class: "hc-family" }, make("h4", familyWords[f] || "Blocks"), make("div", { class: "hc-items" }, by[f].map(function (i) {
				return make("button", { type: "button", class: "hc-item", "data-item": i.name, title: i.help, on: {
					click: function () { if (!view.dragged) insertAt(target(), i); },
					pointerdown: function (e) { press(e, { item: i }); } } }, chip(i.kind || i.name, i.name), i.name);
			})));
		}));
		if (!s.first) view.palette.appendChild(make("p", { class: "hc-help" }, "no layer or block of that name"));
	}

	/* ---- dragging, by mouse, pen or finger ---- */
	function press(e, what) {
		if (e.button > 0 || e.pointerType === "touch" && !e.target.closest(".hc-grip")) return;
		drag = { what: what, x: e.clientX, y: e.clientY, on: false, gap: null };
		view.dragged = false;
	}
	function pull(e) {
		var best = null, near = Infinity, box;
		if (!drag) return;
		if (!drag.on && Math.abs(e.clientX - drag.x) + Math.abs(e.clientY - drag.y) < 6) return;
		e.preventDefault();
		drag.on = true;
		section.classList.add("dragging");
		view.ghost.hidden = false;
		view.ghost.textContent = drag.what.item ? drag.what.item.name : drag.what.path;
		view.ghost.style.left = e.clientX + 12 + "px";
		view.ghost.style.top = e.clientY + 8 + "px";
		box = view.tree.getBoundingClientRect();
		nab.all(".hc-gap", view.tree).forEach(function (g) {
			var r = g.getBoundingClientRect(), d = Math.abs(e.clientY - (r.top + r.bottom) / 2);
			g.classList.remove("hot");
			if (drag.what.path && g.dataset.parent !== parentPath(row(drag.what.path))) return;
			if (d < near) { near = d; best = g; }
		});
		if (e.clientX < box.left - 40 || e.clientX > box.right + 40) best = null;
		if (best) best.classList.add("hot");
		drag.gap = best;
	}
	function drop() {
		var d = drag, gap;
		drag = null;
		section.classList.remove("dragging");
		view.ghost.hidden = true;
		if (!d || !d.on) return;
		view.dragged = true;
		setTimeout(function () { view.dragged = false; }, 0);
		if (!d.gap) return;
		gap = { parent: d.gap.dataset.parent, g: +d.gap.dataset.g };
		if (d.what.item) insertAt(gap, d.what.item);
		else moveTo(row(d.what.path), gap.g);
	}

	/* ---- keys ---- */
	function visibleRows() { return nab.all(".hc-row", view.tree).map(function (e) { return e.dataset.path; }); }
	function step(by, extend) {
		var all = visibleRows(), i = all.indexOf(s.sel), next = all[Math.max(0, Math.min(all.length - 1, i + by))];
		if (!next) return;
		if (extend) mark(next);
		else choose(next);
		focusRow();
	}
	function treeKey(e) {
		var r = row(s.sel), k = e.key;
		if (k === "ArrowDown" || k === "ArrowUp") {
			if (e.altKey) { if (r) moveTo(r, k === "ArrowUp" ? r.index - 1 : r.index + 2); }
			else step(k === "ArrowUp" ? -1 : 1, e.shiftKey);
		} else if (k === "Home" || k === "End") step(k === "Home" ? -1e6 : 1e6, e.shiftKey);
		else if ((k === "Delete" || k === "Backspace") && r) remove(r);
		else if (k === "d" && r && !e.ctrlKey && !e.metaKey) duplicate(r);
		else if (k === "ArrowRight" && r && r.def) { s.open[r.path] = true; show(); }
		else if (k === "ArrowLeft" && r && r.def && s.open[r.path]) { s.open[r.path] = false; show(); }
		else if (k === "ArrowLeft" && r && r.ids.length > 1) choose(parentPath(r), true);
		else if (k === "Enter" && r) { var first = view.form.querySelector("input, select"); if (first) first.focus(); }
		else if (k === "/" || k === "Insert") view.search.focus();
		else return;
		e.preventDefault();
	}
	function sectionKey(e) {
		if (e.target === view.json || !(e.ctrlKey || e.metaKey) || e.key.toLowerCase() !== "z" && e.key.toLowerCase() !== "y") return;
		e.preventDefault();
		if (e.key.toLowerCase() === "y" || e.shiftKey) redo();
		else undo();
	}

	/* ---- the page ---- */
	function setPort(port, value, words, key) {
		var doc = edits.clone(s.doc);
		if (port === "shape" && doc.inputs) {
			doc.inputs[edits.inputName(doc)].shape = [].concat(value === undefined ? [] : value);
			doc.inputs[edits.inputName(doc)].type = { 1: "vector", 2: "sequence", 3: "image" }[[].concat(value).length] || "image";
		} else if (port === "classes" && doc.outputs) doc.outputs[Object.keys(doc.outputs)[0]].classes = value;
		else if (port === "name") doc.name = value === undefined ? "handmade" : String(value);
		commit(doc, words, port === "name" ? [] : null, key);
	}
	function typedJson() {
		var doc = null, r;
		s.badJson = null;
		r = ask("check", view.json.value);
		if (r.whole) {
			doc = JSON.parse(r.text);
			if (!r.ok) try { doc.outputs = JSON.parse(view.json.value).outputs || { out: { task: "classification", classes: JSON.parse(view.json.value).classes } }; } catch (e) { doc = null; }
		}
		if (doc && (r.ok || doc.outputs)) commit(doc, "edited as JSON", null, "json");
		else { s.badJson = r.errors.map(function (e) { return (e.where ? e.where + ": " : "") + e.msg; }).join("\n"); showJson(); }
	}
	function build() {
		var timer = 0;
		view.live = make("div", { class: "hc-live", role: "status", "aria-live": "polite" });
		view.from = make("select", { id: "hc-from", on: { change: function (e) { start(e.target.value === "" ? blank() : fromRow(+e.target.value)); } } },
			make("option", { value: "" }, "a blank page"),
			make("optgroup", { label: "models of this report" }, Object.keys(data.of).map(function (r) {
				return make("option", { value: r }, nab.rows.label[r] + (nab.known(nab.rows.accuracy[r]) ? "  " + nab.format.metric(nab.rows.accuracy[r]) : ""));
			})));
		view.undo = button("undo", undo, { title: "Ctrl+Z" });
		view.redo = button("redo", redo, { title: "Ctrl+Y" });
		view.restore = button("restore template", function () { start(s.template); });
		view.state = make("span", { class: "badge" });
		view.name = make("input", { id: "hc-name", type: "text", size: "16", placeholder: "handmade", on: { input: function (e) { setPort("name", parse(e.target.value, "text"), "named it " + e.target.value, "name"); } } });
		view.shape = make("input", { id: "hc-shape", type: "text", size: "10", title: "channels, height, width; channels, steps; or features",
			on: { input: function (e) { setPort("shape", parse(e.target.value, "ints"), "input is " + e.target.value, "shape"); } } });
		view.classes = make("input", { id: "hc-classes", type: "text", size: "4", inputmode: "numeric",
			on: { input: function (e) { setPort("classes", parse(e.target.value, "int"), "classes: " + e.target.value, "classes"); } } });
		view.tiles = make("div", { class: "tiles small" });
		view.snac = make("div", { class: "snac hc-snac", on: { click: function (e) {
			var g = e.target.closest("[data-key]"), n = g && nodes()[+g.dataset.key];
			if (n && row(n.id)) choose(n.id, true);
		} } });
		view.where = make("b");
		view.search = make("input", { type: "search", placeholder: "search layers and blocks", "aria-label": "search the palette", on: {
			input: function (e) { s.search = e.target.value; showPalette(); },
			keydown: function (e) {
				if (e.key === "Enter" && s.first) { e.preventDefault(); insertAt(target(), s.first); view.search.value = s.search = ""; showPalette(); }
				if (e.key === "Escape" || e.key === "ArrowDown" && e.altKey) { e.preventDefault(); focusRow(); }
			} } });
		view.palette = make("div", { class: "hc-palette" });
		view.tree = make("div", { class: "hc-tree", role: "tree", "aria-label": "layers", "aria-multiselectable": "true", on: {
			keydown: treeKey,
			click: function (e) {
				var r = e.target.closest(".hc-row");
				if (!r || view.dragged || e.target.closest("button")) return;
				if (e.ctrlKey || e.metaKey || e.shiftKey) mark(r.dataset.path);
				else choose(r.dataset.path);
				focusRow();
			},
			pointerdown: function (e) {
				var r = e.target.closest(".hc-row");
				if (r && !e.target.closest("button") && !row(r.dataset.path).sealed) press(e, { path: r.dataset.path });
			} } });
		view.form = make("div", { class: "hc-form" });
		view.problems = make("div");
		view.log = make("div");
		view.count = make("span", { class: "dim" });
		view.json = make("textarea", { id: "hc-json", rows: "16", spellcheck: "false", "aria-label": "the model as JSON", on: {
			input: function () { clearTimeout(timer); timer = setTimeout(typedJson, 250); }, blur: function () { if (!s.badJson) showJson(); } } });
		view.jsonBad = make("div", { class: "hc-err", role: "status" });
		view.commands = make("div");
		view.ghost = make("div", { class: "hc-ghost", hidden: true, "aria-hidden": "true" });
		nab.all(".hc-body", section).forEach(function (e) { e.remove(); });
		section.appendChild(make("div", { class: "hc-body" },
			make("div", { class: "bar" }, make("label", { class: "k", for: "hc-from" }, "start from"), view.from, view.undo, view.redo, view.restore, view.state),
			make("div", { class: "bar" }, make("label", { class: "k", for: "hc-name" }, "name"), view.name, make("label", { class: "k", for: "hc-shape" }, "input"), view.shape,
				make("label", { class: "k", for: "hc-classes" }, "outputs"), view.classes,
				make("span", { class: "space" }), nab.copier(json, "copy JSON", { id: "hc-copy-json" }), button("download", download)),
			view.tiles, view.snac,
			make("div", { class: "hc-cols" },
				make("div", { class: "hc-left card pad" }, view.search, make("p", { class: "hc-help" }, "goes ", view.where), view.palette),
				make("div", { class: "hc-mid card" }, view.tree),
				make("div", { class: "hc-right card pad" }, view.form)),
			make("div", { class: "two hc-words" }, make("div", make("h4", "Mistakes and advice"), view.problems), make("div", make("h4", "Changes", view.count), view.log)),
			make("div", { class: "card pad hc-out" }, make("h4", "Commands"), view.commands,
				make("details", make("summary", "The model as JSON"), make("p", { class: "hc-help" }, "It may be edited here as well; what is valid is taken over at once."), view.json, view.jsonBad)),
			view.live, view.ghost));
		addEventListener("pointermove", pull);
		addEventListener("pointerup", drop);
		addEventListener("pointercancel", function () { if (drag) drag.gap = null; drop(); });
		section.addEventListener("keydown", sectionKey);
	}
	function intro(text) { section.appendChild(make("p", { class: "sub hc-intro" }, text)); }
	function missing(text) {
		section.appendChild(make("p", { class: "note hc-missing" }, text));
	}
	function open() {
		if (opened) return;
		opened = true;
		nab.engine(data.editor).then(function (e) {
			engine = e;
			layers = ask("layers");
			layers.forEach(function (k) { kinds[k.name] = k; });
			blocks = ask("blocks");
			build();
			if (!recall()) start(blank());
			s.past = [];
			if (waiting !== null) start(fromRow(waiting));
			showPalette();
			show();
			section.dataset.ready = "yes";
		}).catch(function (e) { missing("The editor could not be started: " + e.message); });
	}
	nab.handcraft = { /* for other views: edit a row; for tests: what is going on */
		edit: function (r) {
			section.scrollIntoView();
			if (data.of[r] === undefined || !data.editor) return;
			if (engine) start(fromRow(r));
			else { waiting = r; open(); }
		},
		state: s, ask: ask
	};
	intro("Build a model by hand, or change one of this report. Shapes, costs and advice come from nab itself, which is part of this page.");
	if (!data.editor) {
		missing("Handcrafting needs a nab that was built with clang and wasi-libc: apt-get install clang lld wasi-libc libclang-rt-dev-wasm32, then make, and nab report again.");
	} else if (typeof DecompressionStream === "undefined" || typeof WebAssembly === "undefined") {
		missing("This browser is too old for handcrafting: it needs WebAssembly and DecompressionStream.");
	} else { /* 120 kB to unpack: when it comes into sight */
		new IntersectionObserver(function (seen, o) {
			if (seen.some(function (x) { return x.isIntersecting; })) { o.disconnect(); open(); }
		}, { rootMargin: "400px" }).observe(section);
	}
});
