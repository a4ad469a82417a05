/* report/page/missed.js - the examples that most runs miss, among those that count (classes, slice), and per class: how
 * many there are, and how well the models know them.
 */
nab.missed = function () { /* [{ i, missed, taken, times }], most missed first, equal ones by number */
	"use strict";
	var all = nab.examples.get(), out = [], slice = null, list = nab.state.classes;
	if (!all) return out;
	if (nab.state.slice !== null) {
		slice = {};
		(all.slices[nab.data.slices[nab.state.slice].name] || []).forEach(function (i) { slice[i] = true; });
	}
	for (var k = 0, at = -1; k < all.missed.length; k += 4) {
		at += all.missed[k];
		if (slice ? !slice[at] : list.length && list.indexOf(all.truth[at]) < 0) continue;
		out.push({ i: at, missed: all.missed[k + 1], taken: all.missed[k + 2], times: all.missed[k + 3] });
	}
	return out.sort(function (a, b) { return b.missed - a.missed || a.i - b.i; });
};

nab.view("missed", function (section, data) {
	"use strict";
	var make = nab.make, rows = nab.rows, f = nab.format, known = nab.known, name = nab.examples.name, place = document.getElementById("missed-list"), drawn = false;

	/* ---- examples ---- */
	function words(list, runs) {
		var every = list.filter(function (e) { return e.missed === runs; }).length, most = list.filter(function (e) { return e.missed > runs / 2; }).length;
		var odd = list.filter(function (e) { return e.missed > runs / 2 && e.times > 0.8 * e.missed; }).length;
		if (runs === 1) return f.whole(list.length) + (list.length === 1 ? " example is" : " examples are") + " missed by the one run that has finished" + (nab.selective() ? ", of " + nab.judgedBy() : "") + ".";
		return (nab.selective() ? "Of " + nab.judgedBy() + ": " : "") + f.whole(most) + (most === 1 ? " example is" : " examples are") + " missed by more than half of the " + runs + " runs, " + f.whole(every) + " by every one. " +
			(odd ? f.whole(odd) + " of them are taken for the same wrong class by nearly all who miss them: look at these first." : "");
	}
	function list() {
		var all = nab.examples.get(), found = nab.missed();
		if (!all || !all.runs) { place.replaceChildren(); return; }
		place.replaceChildren(make("div", { class: "card pad" }, make("p", { class: "words-of" }, words(found, all.runs)),
			nab.examples.list(found.slice(0, 400).map(function (e) {
				return { i: e.i, words: [make("b", { class: "pair-of" }, make("span", { class: "cut", title: name(all.truth[e.i]) }, name(all.truth[e.i])), " \u2192 ", e.taken < 0 ? "?" : make("span", { class: "cut", title: name(e.taken) }, name(e.taken))),
					make("span", { class: "dim", title: "runs that miss it; in brackets those that take it for this class" }, e.missed + " of " + all.runs + (e.taken >= 0 && e.times < e.missed ? " (" + e.times + ")" : ""))] };
			}), 48), found.length > 400 ? make("p", { class: "note" }, "The first 400 of " + f.whole(found.length) + " that any run misses.") : null));
	}

	/* ---- classes ---- */
	function difficulty() { /* of every class: recalls of all models with answers, ascending, and the best row */
		var out = nab.data.classes.map(function () { return { all: [], best: -1 }; });
		rows.right.forEach(function (r, row) {
			if (r) r.forEach(function (k, c) {
				var n = nab.data.class_n[c] * rows.seeds[row], v = n ? k / n : null;
				if (v === null) return;
				if (out[c].best < 0 || v > out[c].top) { out[c].best = row; out[c].top = v; }
				out[c].all.push(v);
			});
		});
		out.forEach(function (d) { d.all.sort(function (a, b) { return a - b; }); });
		return out;
	}
	function median(d) {
		var n = d.all.length;
		return !n ? null : n % 2 ? d.all[(n - 1) / 2] : (d.all[n / 2 - 1] + d.all[n / 2]) / 2;
	}
	function range(d) {
		var t = make("span", { class: "t" }), n = d.all.length, mid = median(d);
		if (!n) return t;
		t.title = "worst " + f.percent(d.all[0]) + ", median " + f.percent(mid) + ", best " + f.percent(d.all[n - 1]) + " % of " + n + " models";
		var i = t.appendChild(make("i")), u = t.appendChild(make("u"));
		i.style.left = 100 * d.all[0] + "%";
		i.style.width = Math.max(0.5, 100 * (d.all[n - 1] - d.all[0])) + "%";
		u.style.left = 100 * mid + "%";
		return t;
	}
	function count(v, most) {
		var td = make("td", { class: "n share" }, make("span", f.whole(v)));
		if (known(v) && most) td.appendChild(make("i")).style.width = 100 * v / most + "%";
		return td;
	}
	function classes() {
		var hard = difficulty(), some = hard.some(function (d) { return d.all.length; }), box = document.getElementById("balance"), b = data.balance, most = [0, 1, 2].map(function (s) {
			return b ? Math.max.apply(null, b.map(function (c) { return c[s] || 0; })) : 0;
		}), shown = [0, 1, 2].filter(function (s) { return most[s] > 0; }), mean = b ? b.reduce(function (a, c) { return a + (c[0] || 0); }, 0) / b.length : 0;
		var lowest = some ? hard.map(function (d) { return d.all.length ? d.all[Math.floor((d.all.length - 1) / 2)] : 1; }) : [], least = Math.min.apply(null, lowest), few = 2 * lowest.filter(function (v) { return v === least; }).length < lowest.length;
		if (!nab.data.classes.length || !b && !some) return;
		box.replaceChildren(make("div", { class: "part card pad" }, make("h4", "Classes ", make("span", { class: "dim" }, "how many there are" + (some ? ", and how well the models know them (bar: worst to best, line: median)" : ""))),
			make("div", { class: "scroll" }, make("table", { class: "balance" }, make("thead", make("tr", make("th", "class"), shown.map(function (s) { return make("th", { class: "n" }, ["train", "validation", "test"][s]); }),
				some ? [make("th", { class: "wide" }, "recall of all models"), make("th", { class: "n" }, "median %"), make("th", "best at it")] : null)),
			make("tbody", nab.data.classes.map(function (c, k) {
				var d = hard[k], n = d.all.length, mid = median(d);
				return make("tr", { "data-class": k }, make("th", { scope: "row" }, make("button", { class: "link cut", title: "judge by " + name(k) + " only", on: { click: function () { nab.set({ classes: [k], slice: null }); } } }, name(k)),
					b && b[k][0] < 0.5 * mean ? make("span", { class: "badge", title: "less than half of the mean" }, "few") : null, n && lowest[k] === least && few ? make("span", { class: "badge bad" }, "hardest") : null),
					shown.map(function (s) { return count(b[k][s], most[s]); }),
					some ? [make("td", { class: "wide" }, range(d)), make("td", { class: "n" }, n ? (100 * mid).toFixed(1) : ""), make("td", d.best < 0 ? "" : make("button", { class: "link cut", title: rows.label[d.best], on: { click: function () { nab.choose(d.best, true); } } }, rows.label[d.best]))] : null);
			}))))));
	}
	/* Unpacking the examples and decoding their pictures waits until the rest of the page is there. */
	function near() { if (!drawn) { drawn = true; list(); } }
	classes();
	nab.on("judge", function () { if (drawn) list(); });
	setTimeout(near, 200);
	addEventListener("beforeprint", near);
});
