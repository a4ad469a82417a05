/* report/page/layers.js - where a model's time, memory and parameters are: a row a layer, blocks fold. */
nab.layers = (function () {
	"use strict";
	var make = nab.make, f = nab.format, known = nab.known;
	var kinds = [["params", "parameters"], ["macs", "multiply-adds"], ["forward", "forward ms"], ["backward", "backward ms"], ["bytes", "memory"]];

	function bytes(v) {
		var units = ["B", "KiB", "MiB", "GiB"], k = 0;
		if (!known(v)) return "";
		while (v >= 1024 && k < 3) { v /= 1024; k++; }
		return (k ? +v.toPrecision(3) : v) + " " + units[k];
	}
	function text(kind, v) {
		if (!known(v)) return "";
		return kind === "bytes" ? bytes(v) : kind === "params" || kind === "macs" ? f.whole(v) : v < 0.0005 && v > 0 ? "<0.001" : v.toFixed(3);
	}
	/* One node of the tree: a block with children, or a layer. Values of a block are sums over its layers. */
	function tree(m) {
		var p = m.profile, root = { children: [] }, blocks = m.groups.map(function (g) { return { id: g[0], words: g[1], block: true, children: [] }; });
		var inner = new Array(m.layers.length).fill(-1);
		m.groups.forEach(function (g, k) { for (var i = g[2]; i < g[2] + g[3]; i++) if (inner[i] < 0 || m.groups[inner[i]][3] > g[3]) inner[i] = k; });
		var placed = m.groups.map(function () { return false; });
		function block(k) {
			if (k < 0) return root;
			if (!placed[k]) { placed[k] = true; block(m.groups[k][4]).children.push(blocks[k]); }
			return blocks[k];
		}
		m.layers.forEach(function (l, i) {
			var e = { id: l[0], words: l[1], shape: l[2], params: l[3], macs: l[4] };
			if (p) { e.forward = p.forward[i]; e.backward = p.backward[i]; e.bytes = p.bytes[i]; e.fused = p.fused[i]; }
			block(inner[i]).children.push(e);
		});
		function add(e) {
			(e.children || []).forEach(function (c) {
				add(c);
				kinds.forEach(function (k) { if (known(c[k[0]])) e[k[0]] = (e[k[0]] || 0) + c[k[0]]; });
				e.shape = c.shape || e.shape;
			});
		}
		add(root);
		return root;
	}
	function cell(e, kind, root) {
		var v = e[kind], share = root[kind] ? v / root[kind] : 0, td = make("td", { class: "n share", title: known(v) && root[kind] ? (100 * share).toFixed(1) + " % of the model" : null }, make("span", text(kind, v) || (e.fused && kind !== "params" && kind !== "macs" ? "in " + e.fused : "")));
		if (e.fused && !known(v)) td.classList.add("dim");
		if (known(v) && share > 0) td.appendChild(make("i")).style.width = 100 * share + "%";
		return td;
	}
	function rows(body, e, depth, root, shown, under) {
		e.children.forEach(function (c) {
			var tr = body.appendChild(make("tr", { class: c.block ? "block" : null, "data-layer": c.id })), mine = [], open = false, id;
			var first = make("td"), pad = first.appendChild(make("span", { class: "id" }));
			pad.style.paddingLeft = 16 * depth + "px";
			tr.hidden = !under.open;
			if (c.block) {
				id = make("button", { class: "fold", "aria-expanded": "false", "aria-label": "layers of " + c.id, on: { click: function () {
					open = !open;
					id.setAttribute("aria-expanded", String(open));
					self.open = open;
					refresh();
				} } });
				pad.append(id, c.id);
			} else pad.append(c.id);
			tr.append(first, make("td", { class: "what" }, c.words), make("td", { class: "n" }, c.shape || ""));
			shown.forEach(function (k) { tr.appendChild(cell(c, k[0], root)); });
			var self = { tr: tr, open: false, children: mine };
			under.children.push(self);
			if (c.block) rows(body, c, depth + 1, root, shown, self);
			function refresh() {
				(function show(list, visible) { list.forEach(function (t) { t.tr.hidden = !visible; show(t.children, visible && t.open); }); })(mine, open);
			}
		});
	}
	function panel(m) {
		if (!m.layers) return null;
		var root = tree(m), p = m.profile, shown = kinds.filter(function (k) { return p || k[0] === "params" || k[0] === "macs"; }), body = make("tbody");
		rows(body, root, 0, root, shown, { open: true, children: [] });
		var total = make("tr", make("td", "all"), make("td"), make("td"), shown.map(function (k) { return make("td", { class: "n" }, make("span", text(k[0], root[k[0]]))); }));
		var folds = function (open) { return function () {
			nab.all(".fold", body).forEach(function (b) { if ((b.getAttribute("aria-expanded") === "true") !== open) b.click(); });
		}; };
		return make("div", { class: "part" }, make("h4", p ? "Time and memory by layer" : "Layers"),
			m.groups.length ? make("div", { class: "bar noprint" }, make("button", { on: { click: folds(true) } }, "unfold blocks"), make("button", { on: { click: folds(false) } }, "fold blocks")) : null,
			make("div", { class: "scroll" }, make("table", { class: "layers" }, make("thead", make("tr", make("th", "layer"), make("th", "what"), make("th", { class: "n" }, "output"),
				shown.map(function (k) { return make("th", { class: "n" }, k[1]); }))), body, make("tfoot", total))),
			p ? make("p", { class: "note" }, "One training step with " + p.batch + " examples: " + p.backend + ". Besides the layers: loss " + text("forward", p.loss) + " ms, optimizer " + text("forward", p.optimizer) +
				" ms, input " + text("forward", p.input) + " ms. Memory: weights " + bytes(p.weights) + ", gradients " + bytes(p.gradients) + ", moments " + bytes(p.moments) + ", activations " + bytes(p.activations) +
				", workspace " + bytes(p.workspace) + "; " + bytes(p.total) + " in all.") : make("p", { class: "note" }, "Times and memory are measured by `nab profile`; none are stored for this model."));
	}
	return { panel: panel, tree: tree };
})();
