/* report/page/models.js - the model that is looked at (nab.state.current), in full where the page carries it.
 *
 * nab.model(row) is what the page knows of a detailed model (report/model_pack.h), or null; nab.chart(row) its SNAC as
 * an element of its own, or null.
 */
nab.model = (function () {
	"use strict";
	var packed = nab.data.models ? nab.data.models.rows : {}, kept = [];
	return function (row) { /* the last few stay unpacked */
		for (var i = 0; i < kept.length; i++) if (kept[i].row === row) return kept[i].model;
		if (!packed[row]) return null;
		kept.unshift({ row: row, model: JSON.parse(nab.unpack(packed[row])) });
		kept.length = Math.min(kept.length, 12);
		return kept[0].model;
	};
})();

/* Markup of our own program, parsed as a picture: nothing in it can run. */
nab.markup = function (text) {
	"use strict";
	var doc = new DOMParser().parseFromString(text.replace("<svg ", "<svg xmlns=\"http:/" + "/www.w3.org/2000/svg\" "), "image/svg+xml");
	return document.importNode(doc.documentElement, true);
};
nab.chart = function (row) {
	"use strict";
	var m = nab.model(row);
	return m && m.svg ? nab.markup(m.svg) : null;
};

nab.view("models", function (section, data) {
	"use strict";
	var make = nab.make, rows = nab.rows, f = nab.format, known = nab.known, metric = nab.data.metric.name, box = document.getElementById("inspect"), children = {};

	rows.parent.forEach(function (p, row) { if (known(p)) (children[p] = children[p] || []).push(row); });

	/* ---- words and numbers ---- */
	function tile(k, v, d) { return make("div", { class: "tile card" }, make("div", { class: "k" }, k), make("div", { class: "v" }, v || "\u2013"), make("div", { class: "d" }, d || "")); }
	function tiles(row) {
		var judged = nab.selective() ? nab.judge(row) : null;
		return make("div", { class: "tiles small" },
			tile("validation " + metric, f.metric(rows.accuracy[row]), known(rows.low[row]) ? "95 %: " + f.percent(rows.low[row]) + " \u2013 " + f.percent(rows.high[row]) : ""),
			judged ? tile(nab.judgedBy(), f.metric(judged.value), "95 %: " + f.percent(judged.low) + " \u2013 " + f.percent(judged.high)) : null,
			tile("training " + metric, f.metric(rows.train[row]), "of the final weights"),
			tile("parameters", f.whole(rows.params[row]), f.whole(rows.bytes[row]) + " bytes in fp32"),
			tile("multiply-adds", f.whole(rows.macs[row]), rows.layers[row] + " layers, depth " + rows.depth[row]),
			tile("training", f.seconds(rows.seconds[row]), known(rows.epochs[row]) ? f.round(rows.epochs[row], 3) + " epochs" + (rows.seeds[row] > 1 ? ", mean of " + rows.seeds[row] + " seeds" : "") : ""),
			tile("best epoch", f.metric(rows.best[row]), "optimistic: chosen afterwards"),
			known(rows.test[row]) ? tile("test " + metric, f.metric(rows.test[row]), "read by nab test") : null);
	}
	function header(row) {
		var pinned = nab.state.pinned.indexOf(row) >= 0;
		return make("header", make("h3", rows.label[row]), rows.origin[row] === "baseline" ? make("span", { class: "badge baseline" }, "baseline") : null,
			rows.front[row] ? make("span", { class: "badge front" }, "Pareto front") : null, rows.inherited[row] ? make("span", { class: "badge" }, "inherited weights") : null,
			rows.state[row] !== "done" ? make("span", { class: "badge bad" }, rows.state[row]) : null,
			nab.placeText(row) ? make("span", { class: "dim" }, "rank " + nab.placeText(row) + " of " + nab.data.ranked) : null,
			make("span", { class: "dim" }, nab.data.studies.length > 1 ? nab.data.studies[rows.study[row]] : ""), make("span", { class: "dim mono" }, rows.hash[row]),
			make("span", { class: "space" }),
			nab.handcraft ? make("button", { class: "noprint", on: { click: function () { nab.handcraft.edit(row); } } }, "edit a copy") : null,
			make("button", { class: "pin noprint", "aria-pressed": String(pinned), on: { click: function () { nab.pin(row); } } }, pinned ? "pinned" : "pin"));
	}
	function part(title, dim) { return make("div", { class: "part" }, make("h4", title, dim ? make("span", { class: "dim" }, " " + dim) : null), Array.prototype.slice.call(arguments, 2)); }

	/* What the numbers say, then what the training found. */
	function diagnosis(m, row) {
		var done = m.runs.filter(function (r) { return r.state === "done"; }), out = [], gap = rows.train[row] - rows.accuracy[row], said = {}, worst, best;
		if (nab.data.classify && known(rows.train[row]) && known(rows.accuracy[row]))
			out.push(gap > 0.05 ? "It knows its training examples " + (100 * gap).toFixed(1) + " points better than new ones: it over-fits; regularise, augment, or make it smaller." :
				gap < -0.02 ? "It does better on validation than in training (" + (-100 * gap).toFixed(1) + " points): dropout and augmentation make training harder than judging." :
				"Training and validation accuracy lie " + Math.abs(100 * gap).toFixed(1) + " points apart: no sign of over-fitting.");
		if (done.length > 1 && nab.data.classify) {
			worst = Math.min.apply(null, done.map(function (r) { return r.val; }));
			best = Math.max.apply(null, done.map(function (r) { return r.val; }));
			out.push("Its " + done.length + " seeds lie between " + f.percent(worst) + " and " + f.percent(best) + " %: differences to other models below " + (100 * (best - worst)).toFixed(1) + " points mean little.");
		}
		if (m.confusion && nab.data.classes.length > 1) {
			var c = nab.confusion.measures(m).filter(function (d) { return d.n >= 10 && known(d.recall); }).sort(function (a, b) { return a.recall - b.recall; });
			if (c.length > 1 && c[0].recall < c[c.length - 1].recall) out.push("Hardest class: \u201c" + nab.examples.brief(c[0].c) + "\u201d, " + (100 * c[0].recall).toFixed(1) + " % recognised; easiest: \u201c" + nab.examples.brief(c[c.length - 1].c) + "\u201d, " + (100 * c[c.length - 1].recall).toFixed(1) + " %.");
		}
		m.findings.forEach(function (d) {
			var key = d[0] + "\n" + (d[2] || "") + "\n" + d[1].replace(/[0-9.]+/g, "#");
			(said[key] = said[key] || { d: d, runs: [] }).runs.push(d[3]);
		});
		return part("Diagnosis", null, make("ul", { class: "find" }, out.map(function (t) { return make("li", t); }), Object.keys(said).map(function (k) {
			var s = said[k];
			return make("li", make("b", s.d[0]), " ", s.d[1], s.d[2] ? [" ", make("code", s.d[2])] : null,
				m.runs.length > 1 ? make("span", { class: "dim" }, s.runs.length === m.runs.length ? " (every seed; numbers of the first)" : " (seed " + s.runs.map(function (r) { return m.runs[r].seed; }).join(", ") + ")") : null);
		})));
	}

	/* ---- lineage ---- */
	function link(row) {
		return make("button", { class: "link", "data-row": row, title: rows.summary[row], on: { click: function () { nab.choose(row, true); } } }, rows.label[row] || "(no label)");
	}
	function deltas(row, from) {
		var a = rows.accuracy[row] - rows.accuracy[from], p = rows.params[row] - rows.params[from], both = known(rows.accuracy[row]) && known(rows.accuracy[from]);
		return [both ? make("span", { class: a >= 0 ? "good" : "worse", title: metric }, f.signed(a, f.bare) + nab.data.metric.points) : make("span", { class: "dim" }, rows.state[row] === "done" ? "" : rows.state[row]),
			make("span", { class: p <= 0 ? "good" : "worse", title: "parameters" }, (p ? f.signed(p, f.whole) : "\u00b10") + " parameters")];
	}
	/* Layers of one block that came or went together are one line. */
	function folded(diff) {
		var out = [];
		diff.forEach(function (d) {
			var block = d[1].indexOf("__") > 0 ? d[1].slice(0, d[1].indexOf("__")) : null, last = out[out.length - 1];
			if (block && d[0] !== "changed" && last && last.block === block && last.kind === d[0]) last.list.push(d);
			else out.push({ kind: d[0], block: block, list: [d] });
		});
		return out;
	}
	var marks = { added: "+", removed: "\u2212", changed: "~" };
	function difference(m) {
		if (!m.diff) return null;
		return make("div", { class: "diff" }, m.diff.length ? make("ul", folded(m.diff).map(function (g) {
			var d = g.list[0], words = g.list.map(function (e) { return e[2] || e[3]; }).join(", ");
			return make("li", { class: d[0] }, make("b", { "aria-label": d[0] }, marks[d[0]] || ""), make("code", g.list.length > 1 ? g.block : d[1]), " ",
				d[0] === "changed" && d[2] !== d[3] ? [make("del", d[3]), " \u2192 ", make("ins", d[2])] : words);
		})) : make("p", { class: "note" }, "The layers are the same."), m.reshaped ? make("p", { class: "note" }, m.reshaped + (m.reshaped === 1 ? " layer has" : " layers have") + " another output or number of parameters because of that.") : null);
	}
	function lineage(m, row) {
		var up = known(rows.parent[row]) ? rows.parent[row] : -1, list = (children[row] || []).slice().sort(function (a, b) { return (rows.accuracy[b] || 0) - (rows.accuracy[a] || 0) || a - b; }), chain = [], k = up;
		while (k >= 0 && chain.length < 20 && chain.indexOf(k) < 0) { chain.unshift(k); k = known(rows.parent[k]) ? rows.parent[k] : -1; }
		if (up < 0 && !list.length && !(m && m.change)) return null;
		return part("Lineage", null,
			chain.length ? make("p", { class: "chain" }, chain.map(function (c) { return [link(c), " \u203a "]; }), make("b", rows.label[row])) : null,
			m && m.change ? make("p", make("span", { class: "dim" }, "Made from its parent: "), m.change.words || "changed", up >= 0 ? make("span", { class: "deltas" }, deltas(row, up)) : null) : null,
			m && m.change && m.change.repairs.length ? make("ul", { class: "find" }, m.change.repairs.map(function (t) { return make("li", "repaired: ", t); })) : null,
			m ? difference(m) : null,
			list.length ? make("div", { class: "children" }, make("h4", list.length + (list.length === 1 ? " child" : " children")), make("ul", list.slice(0, 60).map(function (c) {
				return make("li", link(c), make("span", { class: "deltas" }, deltas(c, row)));
			})), list.length > 60 ? make("p", { class: "note" }, "The best 60 of " + list.length + ".") : null) : null);
	}

	/* ---- runs, recipe, commands ---- */
	function runs(m) {
		var heads = ["run", "seed", "status", "score", "train" + nab.data.metric.unit, "validation" + nab.data.metric.unit, "loss", "epochs", "best epoch", "seconds", "attempts"];
		var n = function (v) { return make("td", { class: "n" }, v); };
		return make("div", { class: "scroll" }, make("table", { class: "layers" }, make("thead", make("tr", heads.map(function (h, k) { return make("th", { class: k === 2 ? null : "n" }, h); }))),
			make("tbody", m.runs.map(function (r) {
				return make("tr", n(r.run), n(r.seed), make("td", r.state, r.cached ? " (cached)" : "", r.reason ? make("div", { class: "dim reason" }, r.reason) : null), n(f.fixed(r.score, 4)), n(f.bare(r.train)), n(f.bare(r.val)),
					n(f.fixed(r.loss, 4)), n(r.epochs), n(r.best || ""), n(f.fixed(r.seconds, 1)), n(r.attempts));
			}))));
	}
	function pretty(text) {
		try { return JSON.stringify(JSON.parse(text), null, 2).replace(/\[\s+([^\[\]{}]{0,60}?)\s+\]/g, function (all, inner) { return "[" + inner.replace(/\s*\n\s*/g, " ") + "]"; }); } catch (e) { return text; }
	}
	function copier(text, what) { return make("div", { class: "command" }, make("code", text), nab.copier(text, "copy", { "aria-label": "copy " + what })); }
	function commands(name, m) {
		var part0 = m && m.groups && (m.groups[0] ? m.groups[0][0] : m.layers && m.layers.length > 1 ? m.layers[0][0] : null);
		var store = " --store " + nab.quote(data.store);
		return part("Commands", null, [["show " + name + store, "show"], ["export " + name + store + " --to pytorch -o " + nab.quote("model-" + name), "export"], ["profile " + name + store, "profile"], ["ablate " + name + store + " --seeds 3", "ablate"],
			["vary " + name + store + " --count 10", "vary"], part0 ? ["edit " + name + store + " --remove " + part0 + " --train", "edit"] : null].filter(Boolean).map(function (c) { return copier("nab " + c[0], "nab " + c[1]); }));
	}
	function recipe(m) {
		return make("details", { class: "print" }, make("summary", "Recipe, fully rendered"), make("pre", pretty(m.recipe)), m.proposal && m.proposal !== "{}" ? [make("h4", "What the search proposed"), make("pre", pretty(m.proposal))] : null);
	}

	/* ---- one model ---- */
	function chart(m) {
		if (!m.svg) return make("p", { class: "note" }, "This version of nab cannot read the stored model, so that there is no chart of it.");
		return [make("div", { class: "snac", tabindex: 0, role: "group", "aria-label": "chart of the architecture" }, nab.markup(m.svg)), make("div", { class: "legend" }, nab.markup(m.legend))];
	}
	function pair(confusion, classes) { /* the examples of a cell below both */
		return !Array.isArray(confusion) ? [confusion, classes] : nab.data.classes.length > 12 ? [confusion, classes] :
			make("div", { class: "pair" }, confusion[0], make("div", classes, confusion[1]), confusion[2]);
	}
	function full(m, row) {
		return [chart(m), nab.curves.panel(m), pair(nab.confusion.panel(m), nab.confusion.classes(m)),
			nab.confusion.slices(row), diagnosis(m, row), nab.layers.panel(m), lineage(m, row), part("Runs", null, runs(m), recipe(m)), commands(m.name, m)];
	}
	function compact(row) {
		return [rows.reason[row] ? make("p", { class: "reason" }, rows.reason[row]) : null, nab.confusion.slices(row), lineage(null, row), commands(String(data.run[row])),
			make("p", { class: "note" }, "The page carries charts, curves, confusions and profiles of the best " + Object.keys(data.rows).length + " models only. `nab report --top N` writes more, `--pin LABEL` this one, and the first of the commands above shows it now.")];
	}
	function show() {
		var row = nab.state.current, m = row >= 0 ? nab.model(row) : null;
		if (row < 0) { box.replaceChildren(make("p", { class: "note" }, "No model has been trained yet.")); return; }
		box.replaceChildren(chooser(row), make("article", { class: "model card pad current", "data-row": row, "aria-label": rows.label[row] }, header(row), make("p", { class: "note" }, rows.summary[row]), tiles(row), m ? full(m, row) : compact(row)));
	}
	function step(by) {
		return function () {
			var list = Object.keys(data.rows).map(Number), at = list.indexOf(nab.state.current);
			nab.choose(list[(at + by + list.length) % list.length], false);
		};
	}
	function chooser(row) {
		var pick = make("select", { id: "pick", on: { change: function () { nab.choose(+pick.value, false); } } }), list = Object.keys(data.rows).map(Number);
		if (list.indexOf(row) < 0) list.unshift(row);
		list.forEach(function (r) { pick.appendChild(make("option", { value: r }, rows.label[r] + (known(rows.accuracy[r]) ? " (" + f.metric(rows.accuracy[r]) + ")" : ""))); });
		pick.value = String(row);
		return make("div", { class: "bar noprint" }, make("label", { class: "k", for: "pick" }, "model"), pick,
			make("button", { "aria-label": "the model before", on: { click: step(-1) } }, "\u2039"), make("button", { "aria-label": "the next model", on: { click: step(1) } }, "\u203a"));
	}
	nab.on("current", show);
	nab.on("judge", function () { /* tiles only: what is open stays open */
		var old = box.querySelector(".tiles"), head = box.querySelector("header");
		if (old) { old.replaceWith(tiles(nab.state.current)); head.replaceWith(header(nab.state.current)); }
	});
	nab.on("pinned", function () {
		var head = box.querySelector("header");
		if (head) head.replaceWith(header(nab.state.current));
	});
});
