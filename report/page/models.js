/* report/page/models.js - the models in detail, one at a time: confusion matrix, accuracy by class. */
nab.view("models", function (section, data) {
	"use strict";
	var pick = document.getElementById("pick"), percent = nab.format.percent;

	function confusion(row, box) {
		var m = data[row], n = nab.data.classes.length, table, tr, head;
		if (!m || n > 40) { box.textContent = m ? "Too many classes to draw." : "Not recorded."; return; }
		table = nab.make("table"); head = nab.make("tr");
		head.appendChild(nab.make("th"));
		nab.data.classes.forEach(function (c) { var t = nab.make("th", c); t.title = c; head.appendChild(t); });
		table.appendChild(nab.make("thead")).appendChild(head);
		var body = table.appendChild(nab.make("tbody"));
		m.forEach(function (line, i) {
			var sum = line.reduce(function (a, b) { return a + b; }, 0), t;
			tr = body.appendChild(nab.make("tr"));
			t = tr.appendChild(nab.make("th", nab.data.classes[i])); t.title = nab.data.classes[i];
			line.forEach(function (v, k) {
				var share = sum ? v / sum : 0, td = tr.appendChild(nab.make("td", v || "\u00b7"));
				td.title = v + " of " + sum + " \u201c" + nab.data.classes[i] + "\u201d taken for \u201c" + nab.data.classes[k] + "\u201d (" + percent(share) + " %)";
				td.style.background = i === k ? "rgba(47,109,181," + (0.08 + 0.72 * share) + ")" :
					v ? "rgba(226,96,40," + Math.min(0.85, 0.08 + 2.4 * share) + ")" : "transparent";
				if ((i === k && share > 0.6) || (i !== k && share > 0.25)) td.style.color = "#fff";
				if (!v) td.style.color = "var(--muted)";
			});
		});
		box.replaceChildren(table);
	}
	function bars(row, box) {
		var m = data[row];
		if (!m) { box.textContent = "Not recorded."; return; }
		box.replaceChildren();
		m.forEach(function (line, i) {
			var k = nab.rows.seeds[row], n = line.reduce(function (a, b) { return a + b; }, 0) / k;
			var p = n ? line[i] / k / n : 0, w = nab.wilson(line[i] / k, n);
			var l = nab.make("span", { class: "l" }, nab.data.classes[i]), t = nab.make("span", { class: "t" }), f = nab.make("i"), u = nab.make("u");
			l.title = nab.data.classes[i];
			f.style.width = 100 * p + "%";
			u.style.left = 100 * w[0] + "%";
			u.style.width = 100 * (w[1] - w[0]) + "%";
			t.title = percent(p) + " % of " + n + ", 95 % interval " + percent(w[0]) + " to " + percent(w[1]);
			t.append(f, u);
			box.append(l, t, nab.make("span", percent(p)));
		});
	}

	nab.on("current", function () {
		var row = nab.state.current, article = document.getElementById("model-" + row);
		if (!article) return;
		nab.all(".model", section).forEach(function (m) { m.classList.toggle("current", m === article); });
		pick.value = String(row);
		nab.all(".confusion:empty", article).forEach(function (b) { confusion(row, b); });
		nab.all(".bars:empty", article).forEach(function (b) { bars(row, b); });
	});
	pick.addEventListener("change", function () { nab.choose(+pick.value, false); });
});
