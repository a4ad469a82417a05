/* report/page/cost.js - the plots of accuracy against cost: one at a time, with a card of the model under the pointer. */
nab.view("cost", function (section) {
	"use strict";
	var rows = nab.rows, f = nab.format, card = document.getElementById("hover"), tabs = nab.all("[data-plot]", section);

	function show() {
		var row = nab.state.hover >= 0 ? nab.state.hover : nab.state.current, list, chart;
		if (row < 0) return;
		chart = nab.chart(row) || document.querySelector("#board tr[data-row='" + row + "'] .a svg");
		card.replaceChildren(nab.make("h3", rows.label[row]),
			nab.make("div", { class: "dim" }, rows.origin[row] + (nab.placeText(row) ? ", rank " + nab.placeText(row) : "")));
		if (chart) card.appendChild(chart.cloneNode(true));
		list = card.appendChild(nab.make("dl"));
		[["accuracy", f.percent(rows.accuracy[row]) + " %" + (nab.known(rows.low[row]) ? "  [" + f.percent(rows.low[row]) + ", " + f.percent(rows.high[row]) + "]" : "")],
		 ["parameters", f.whole(rows.params[row])], ["multiply-adds", f.whole(rows.macs[row])],
		 ["training", f.seconds(rows.seconds[row])]].forEach(function (p) {
			list.append(nab.make("dt", p[0]), nab.make("dd", p[1]));
		});
		card.append(nab.make("p", { class: "note" }, rows.summary[row]));
	}
	nab.all(".mark", section).forEach(function (g) {
		g.addEventListener("mouseenter", function () { nab.set({ hover: +g.dataset.key }); });
		g.addEventListener("click", function () { nab.choose(+g.dataset.key, false); });
	});
	tabs.forEach(function (b) {
		b.addEventListener("click", function () {
			tabs.forEach(function (t) {
				t.setAttribute("aria-pressed", t === b ? "true" : "false");
				document.getElementById("plot-" + t.dataset.plot).hidden = t !== b;
			});
		});
	});
	if (tabs.length) tabs[0].click();
	nab.on("hover", show);
	nab.on("current", function () {
		nab.all(".mark", section).forEach(function (g) { g.classList.toggle("current", +g.dataset.key === nab.state.current); });
		show();
	});
	nab.on("filter", function () {
		nab.all(".mark", section).forEach(function (g) { g.classList.toggle("off", !nab.visible(+g.dataset.key)); });
	});
});
