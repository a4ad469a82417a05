/* report/page.js - what moves on the page: sorting, choosing a model, re-ranking by class. Text from the store is only
 * ever set as textContent; nothing here builds HTML from strings. Without it the page is complete, but still. */
(function () {
	"use strict";
	var data = JSON.parse(document.getElementById("data").textContent);
	var root = document.documentElement, chosen = new Set(), current = -1;
	root.classList.add("js");

	function all(selector, from) { return Array.prototype.slice.call((from || document).querySelectorAll(selector)); }
	function make(tag, text, cls) {
		var e = document.createElement(tag);
		if (text !== undefined && text !== null) e.textContent = text;
		if (cls) e.className = cls;
		return e;
	}
	function percent(v) { return v === null || v === undefined ? "" : (100 * v).toFixed(2); }
	function whole(v) { return v === null ? "" : String(Math.round(v)).replace(/\B(?=(\d{3})+(?!\d))/g, ","); }
	function wilson(k, n) {
		if (!n) return [0, 1];
		var z = 1.959963984540054, p = k / n, d = 1 + z * z / n, m = (p + z * z / (2 * n)) / d;
		var h = z * Math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / d;
		return [Math.max(0, m - h), Math.min(1, m + h)];
	}

	/* theme: as the system has it, until the reader says otherwise */
	document.getElementById("theme").addEventListener("click", function () {
		var dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
		root.dataset.theme = dark ? "light" : "dark";
	});

	/* ---- accuracy over chosen classes ---- */
	function classAccuracy(row) {
		var m = data.rows[row].confusion, right = 0, n = 0;
		if (!m) return null;
		chosen.forEach(function (c) {
			m[c].forEach(function (v, k) { n += v; if (k === c) right += v; });
		});
		var k = data.rows[row].seeds; /* the matrix is summed over seeds, but the examples are the same ones */
		return n ? { v: right / n, n: n / k, right: right / k } : null;
	}
	var board = document.querySelector("#board tbody"), limit = document.getElementById("limit");
	function value(tr, key) {
		var row = data.rows[+tr.dataset.row];
		if (key === "accuracy" && chosen.size) { var a = classAccuracy(+tr.dataset.row); return a ? a.v : null; }
		return row[key];
	}
	function sortBy(th, direction) {
		var key = th.dataset.sort;
		all("#board th").forEach(function (t) { t.removeAttribute("aria-sort"); });
		th.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
		all("tr", board).sort(function (a, b) {
			var x = value(a, key), y = value(b, key);
			if (x === null || y === null) return (x === null) - (y === null);
			return (x < y ? -1 : x > y ? 1 : a.dataset.row - b.dataset.row) * (x === y ? 1 : direction);
		}).forEach(function (tr) { board.appendChild(tr); });
	}
	all("#board th[data-sort]").forEach(function (th) {
		th.tabIndex = 0;
		function go() {
			var now = th.getAttribute("aria-sort"), first = th.dataset.first === "up" ? 1 : -1;
			sortBy(th, now ? (now === "ascending" ? -1 : 1) : first);
		}
		th.addEventListener("click", go);
		th.addEventListener("keydown", function (e) { if (e.key === "Enter") go(); });
	});
	/* places over the chosen classes: rows whose intervals lie wholly above come first, as on the server's side */
	function ranges() {
		var out = {};
		all("tr", board).forEach(function (tr) {
			var a = classAccuracy(+tr.dataset.row);
			if (a) out[tr.dataset.row] = wilson(a.right, a.n);
		});
		return out;
	}
	function places(range, row) {
		var own = range[row], keys = Object.keys(range), above = 0, below = 0;
		if (!own) return "";
		keys.forEach(function (k) { above += range[k][0] > own[1]; below += range[k][1] < own[0]; });
		return above + 1 === keys.length - below ? String(above + 1) : (above + 1) + "\u2013" + (keys.length - below);
	}
	function keep(e, text) { /* a cell's own text comes back when no class is chosen */
		if (e.dataset.own === undefined) e.dataset.own = e.textContent;
		e.textContent = text === null ? e.dataset.own : text;
	}
	function refresh() {
		var most = limit.value ? +limit.value : Infinity, shown = 0, range = chosen.size ? ranges() : {};
		board.parentNode.classList.toggle("byclass", chosen.size > 0);
		all("tr", board).forEach(function (tr) {
			var cell = tr.querySelector(".acc"), a = chosen.size ? classAccuracy(+tr.dataset.row) : null;
			tr.hidden = data.rows[+tr.dataset.row].params > most;
			shown += !tr.hidden;
			var w = range[tr.dataset.row], text = tr.querySelector(".range");
			keep(cell, chosen.size ? (a ? percent(a.v) : "") : null);
			keep(tr.cells[0], chosen.size ? places(range, tr.dataset.row) : null);
			if (text) keep(text, chosen.size ? (w ? percent(w[0]) + "\u2013" + percent(w[1]) : "") : null);
		});
		all(".mark").forEach(function (g) {
			var r = data.rows[+g.dataset.key];
			g.classList.toggle("off", r.params > most);
		});
		document.getElementById("shown").textContent = shown + " of " + data.ranked + " models" +
			(chosen.size ? ", accuracy over " + chosen.size + (chosen.size > 1 ? " classes" : " class") + " only" : "");
		sortBy(document.querySelector("#board th[data-sort=accuracy]"), -1);
	}
	limit.addEventListener("input", refresh);
	var chips = document.getElementById("classes");
	data.classes.forEach(function (name, c) {
		var b = make("button", name || "(empty)");
		b.setAttribute("aria-pressed", "false");
		b.title = name;
		b.addEventListener("click", function () {
			if (chosen.has(c)) chosen.delete(c); else chosen.add(c);
			b.setAttribute("aria-pressed", chosen.has(c) ? "true" : "false");
			refresh();
		});
		chips.appendChild(b);
	});

	/* ---- confusion matrix and classes of one model ---- */
	function confusion(row, box) {
		var m = data.rows[row].confusion, n = data.classes.length, table, tr, head;
		if (!m || n > 40) { box.textContent = m ? "Too many classes to draw." : "Not recorded."; return; }
		table = make("table"); head = make("tr");
		head.appendChild(make("th"));
		data.classes.forEach(function (c) { var t = make("th", c); t.title = c; head.appendChild(t); });
		table.appendChild(make("thead")).appendChild(head);
		var body = table.appendChild(make("tbody"));
		m.forEach(function (line, i) {
			var sum = line.reduce(function (a, b) { return a + b; }, 0), t;
			tr = body.appendChild(make("tr"));
			t = tr.appendChild(make("th", data.classes[i])); t.title = data.classes[i];
			line.forEach(function (v, k) {
				var share = sum ? v / sum : 0, td = tr.appendChild(make("td", v || "\u00b7"));
				td.title = v + " of " + sum + " \u201c" + data.classes[i] + "\u201d taken for \u201c" + data.classes[k] + "\u201d (" + percent(share) + " %)";
				td.style.background = i === k ? "rgba(47,109,181," + (0.08 + 0.72 * share) + ")" :
					v ? "rgba(226,96,40," + Math.min(0.85, 0.08 + 2.4 * share) + ")" : "transparent";
				if ((i === k && share > 0.6) || (i !== k && share > 0.25)) td.style.color = "#fff";
				if (!v) td.style.color = "var(--muted)";
			});
		});
		box.replaceChildren(table);
	}
	function bars(row, box) {
		var m = data.rows[row].confusion;
		if (!m) { box.textContent = "Not recorded."; return; }
		box.replaceChildren();
		m.forEach(function (line, i) {
			var k = data.rows[row].seeds, n = line.reduce(function (a, b) { return a + b; }, 0) / k;
			var p = n ? line[i] / k / n : 0, w = wilson(line[i] / k, n);
			var l = make("span", data.classes[i], "l"), t = make("span", null, "t"), f = make("i"), u = make("u");
			l.title = data.classes[i];
			f.style.width = 100 * p + "%";
			u.style.left = 100 * w[0] + "%";
			u.style.width = 100 * (w[1] - w[0]) + "%";
			t.title = percent(p) + " % of " + n + ", 95 % interval " + percent(w[0]) + " to " + percent(w[1]);
			t.append(f, u);
			box.append(l, t, make("span", percent(p)));
		});
	}

	/* ---- choosing a model ---- */
	var pick = document.getElementById("pick");
	function choose(row, scroll) {
		var article = document.getElementById("model-" + row);
		current = row;
		all(".model").forEach(function (m) { m.classList.toggle("current", m === article); });
		all("#board tr[data-row]").forEach(function (tr) { tr.classList.toggle("current", +tr.dataset.row === row); });
		all(".mark").forEach(function (g) { g.classList.toggle("current", +g.dataset.key === row); });
		if (!article) return;
		pick.value = String(row);
		all(".confusion:empty", article).forEach(function (b) { confusion(row, b); });
		all(".bars:empty", article).forEach(function (b) { bars(row, b); });
		if (scroll) document.getElementById("models").scrollIntoView();
	}
	all("[data-choose]").forEach(function (b) {
		b.addEventListener("click", function () { choose(+b.dataset.choose, true); });
	});
	pick.addEventListener("change", function () { choose(+pick.value, false); });

	/* ---- the card beside the plot ---- */
	var card = document.getElementById("hover");
	function show(row) {
		var r = data.rows[row], list = make("dl"), svg = document.querySelector("#model-" + row + " .snac svg") ||
			document.querySelector("#board tr[data-row='" + row + "'] .a svg");
		card.replaceChildren(make("h3", r.label), make("div", r.origin + (r.place ? ", rank " + r.place : ""), "dim"));
		if (svg) card.appendChild(svg.cloneNode(true));
		[["accuracy", percent(r.accuracy) + " %" + (r.low !== null ? "  [" + percent(r.low) + ", " + percent(r.high) + "]" : "")],
		 ["parameters", whole(r.params)], ["multiply-adds", whole(r.macs)],
		 ["training", r.seconds === null ? "" : r.seconds.toFixed(1) + " s"]].forEach(function (p) {
			list.append(make("dt", p[0]), make("dd", p[1]));
		});
		card.append(list, make("p", r.summary, "note"));
	}
	all(".mark").forEach(function (g) {
		g.addEventListener("mouseenter", function () { show(+g.dataset.key); });
		g.addEventListener("click", function () { choose(+g.dataset.key, false); show(+g.dataset.key); });
	});
	var tabs = all("[data-plot]");
	tabs.forEach(function (b) {
		b.addEventListener("click", function () {
			tabs.forEach(function (t) {
				t.setAttribute("aria-pressed", t === b ? "true" : "false");
				document.getElementById("plot-" + t.dataset.plot).hidden = t !== b;
			});
		});
	});
	all(".js-only").forEach(function (e) { e.hidden = false; });
	if (tabs.length) tabs[0].click();
	if (data.first >= 0) { choose(data.first, false); show(data.first); }
	refresh();
	addEventListener("beforeprint", function () { all("#study details").forEach(function (d) { d.open = true; }); });
})();
