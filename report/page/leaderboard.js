/* report/page/leaderboard.js - what the table of models does: sorting, judging by classes, filtering. */
nab.view("leaderboard", function (section) {
	"use strict";
	var board = section.querySelector("#board tbody"), limit = document.getElementById("limit");
	var heads = nab.all("#board th[data-sort]"), percent = nab.format.percent;
	var keys = { rank: "first", label: "label", params: "params", macs: "macs", seconds: "seconds", epochs: "epochs",
		best: "best", test: "test", score: "score" };

	function value(tr, key) {
		var row = +tr.dataset.row, v = nab.judge(row);
		return key === "accuracy" ? (v ? v.value : null) : nab.rows[keys[key]][row];
	}
	function sortBy(th, direction) {
		var key = th.dataset.sort;
		nab.all("#board th").forEach(function (t) { t.removeAttribute("aria-sort"); });
		th.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
		nab.all("tr", board).sort(function (a, b) {
			var x = value(a, key), y = value(b, key);
			if (!nab.known(x) && typeof x !== "string" || !nab.known(y) && typeof y !== "string")
				return (x === null) - (y === null);
			return (x < y ? -1 : x > y ? 1 : a.dataset.row - b.dataset.row) * (x === y ? 1 : direction);
		}).forEach(function (tr) { board.appendChild(tr); });
	}
	heads.forEach(function (th) {
		th.tabIndex = 0;
		function go() {
			var now = th.getAttribute("aria-sort"), first = th.dataset.first === "up" ? 1 : -1;
			sortBy(th, now ? (now === "ascending" ? -1 : 1) : first);
		}
		th.addEventListener("click", go);
		th.addEventListener("keydown", function (e) { if (e.key === "Enter") go(); });
	});
	function keep(e, text) { /* a cell's own text comes back when everything counts */
		if (e.dataset.own === undefined) e.dataset.own = e.textContent;
		e.textContent = text === null ? e.dataset.own : text;
	}
	function refresh() {
		var by = nab.selective(), shown = 0;
		board.parentNode.classList.toggle("byclass", by);
		nab.all("tr", board).forEach(function (tr) {
			var row = +tr.dataset.row, v = by ? nab.judge(row) : null, text = tr.querySelector(".range");
			tr.hidden = !nab.visible(row);
			shown += !tr.hidden;
			keep(tr.querySelector(".acc"), by ? (v ? percent(v.value) : "") : null);
			keep(tr.cells[0], by ? nab.placeText(row) : null);
			if (text) keep(text, by ? (v ? percent(v.low) + "\u2013" + percent(v.high) : "") : null);
		});
		document.getElementById("shown").textContent = shown + " of " + nab.data.ranked + " models" +
			(by ? ", judged by " + nab.judgedBy() + " only" : "");
	}
	limit.addEventListener("input", function () { nab.set({ most: limit.value ? +limit.value : null }); });
	if (nab.state.most !== null) limit.value = nab.state.most;
	nab.data.classes.forEach(function (name, c) {
		document.getElementById("classes").appendChild(nab.make("button", { title: name, "data-class": c, on: { click: function () {
			var old = nab.state.classes, at = old.indexOf(c);
			nab.set({ classes: at < 0 ? old.concat([c]) : old.filter(function (k) { return k !== c; }) });
		} } }, name || "(empty)"));
	});
	nab.on("judge", function () {
		nab.all("#classes button").forEach(function (b) {
			b.setAttribute("aria-pressed", nab.state.classes.indexOf(+b.dataset.class) < 0 ? "false" : "true");
		});
		refresh();
		sortBy(section.querySelector("th[data-sort=accuracy]"), -1);
	});
	nab.on("filter", refresh);
	nab.on("current", function () {
		nab.all("tr", board).forEach(function (tr) {
			tr.classList.toggle("current", +tr.dataset.row === nab.state.current);
		});
	});
});
