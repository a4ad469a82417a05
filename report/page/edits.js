/* report/page/edits.js - changes of a model's JSON, for the editor (handcraft.js). Nothing here knows what a layer does:
 * whether a model is sound is asked of nab itself.
 *
 * A model is the canonical form of docs/conventions.md, less an output's "from" that names the last layer. A place is the
 * list of ids from the outermost block inwards; "residual_1__conv2d_1" is its flat path. Entries inside a block stand in
 * its definition (model.blocks), which several blocks may share.
 */
var nabEdits = (function () {
	"use strict";
	var siblings = ["id", "from", "repeat", "first", "share", "frozen", "device"];

	function clone(v) { return JSON.parse(JSON.stringify(v)); }
	function kind(entry) { return Object.keys(entry).filter(function (k) { return siblings.indexOf(k) < 0; })[0]; }
	function options(entry) { return entry[kind(entry)] || {}; }
	function base(ref) { return ref.split(":")[0]; }
	function first(object) { return Object.keys(object)[0]; }
	function definition(model, entry) { return (model.blocks || {})[kind(entry)] || null; }

	/* Outputs follow the last layer unless they say otherwise: what is added at the end is then of use. */
	function relax(model) {
		var last = model.layers.length && model.layers[model.layers.length - 1].id;
		Object.keys(model.outputs || {}).forEach(function (o) {
			if (model.outputs[o].from === last) delete model.outputs[o].from;
		});
		return model;
	}

	/* ---- places ---- */
	/* All entries, from top to bottom, blocks before what is in them. */
	function rows(model) {
		var out = [];
		function visit(list, ids, depth, sealed, input) {
			list.forEach(function (entry, i) {
				var def, here;
				if (typeof entry !== "object" || !entry) return;
				def = definition(model, entry);
				here = ids.concat([entry.id]);
				out.push({ ids: here, path: here.join("__"), entry: entry, kind: kind(entry), def: def, list: list, index: i,
					depth: depth, sealed: sealed, input: input });
				if (def && Array.isArray(def.layers))
					visit(def.layers, here, depth + 1, sealed || !!def.with, (def.inputs || ["in"])[0]);
			});
		}
		visit(model.layers || [], [], 0, false, inputName(model));
		return out;
	}
	function inputName(model) { return model.inputs ? first(model.inputs) : "in"; }
	/* Places whose entries stand in the same definition as this one (itself among them). */
	function twins(model, place) {
		var all = rows(model), row = all.filter(function (r) { return r.path === place.join("__"); })[0];
		return row ? all.filter(function (r) { return r.list === row.list && r.index === row.index; }).map(function (r) { return r.ids; }) : [];
	}

	/* The list that holds a place, for change: blocks on the way lose their arguments, and those named in `alone` (paths) get
	 * a definition of their own. */
	function reach(model, place, alone) {
		var list = model.layers, holder = model, input = inputName(model), path = "";
		place.slice(0, -1).forEach(function (id) {
			var entry = list.filter(function (e) { return e.id === id; })[0], key = kind(entry), own, k = 2;
			path += (path ? "__" : "") + id;
			if (alone && alone[path] && uses(model, key) > 1) {
				while (model.blocks[key + "_" + k]) k++;
				own = key + "_" + k;
				model.blocks[own] = clone(model.blocks[key]);
				rename(entry, key, own);
				key = own;
			}
			holder = model.blocks[key];
			delete holder.args;
			list = holder.layers;
			input = (holder.inputs || ["in"])[0];
		});
		return { list: list, holder: holder, input: input, top: holder === model,
			index: list.findIndex(function (e) { return e.id === place[place.length - 1]; }) };
	}
	function uses(model, key) {
		var n = 0;
		rows(model).forEach(function (r) { n += r.kind === key; });
		return n;
	}
	function rename(entry, key, own) {
		var old = clone(entry);
		Object.keys(entry).forEach(function (k) { delete entry[k]; });
		Object.keys(old).forEach(function (k) { entry[k === key ? own : k] = old[k]; });
	}
	function freshId(list, stem) {
		var n = 1, taken = {};
		list.forEach(function (e) { taken[e.id] = true; });
		while (taken[stem + "_" + n]) n++;
		return stem + "_" + n;
	}

	/* ---- references ---- */
	function before(at, i) { return i > 0 ? at.list[i - 1].id : at.input; }
	function reads(at, i) {
		var from = at.list[i].from;
		return from === undefined ? [before(at, i)] :
			[].concat(from).map(function (r) { return r === "prev" ? before(at, i) : r; });
	}
	function swapRef(entry, old, now) {
		if (entry.from === undefined) return;
		entry.from = [].concat(entry.from).map(function (r) {
			return base(r) === old ? now + (base(now) === now ? r.slice(old.length) : "") : r;
		});
	}
	function outputs(at, old, now) { /* what the block or the model hands out */
		var outs = at.top ? at.holder.outputs || {} : at.holder.out;
		function swap(r) { return base(r) === old ? now : r; }
		if (typeof outs === "string") { at.holder.out = swap(outs); return; }
		Object.keys(outs || {}).forEach(function (o) {
			if (at.top && outs[o].from !== undefined) outs[o].from = swap(outs[o].from);
			else if (!at.top) outs[o] = swap(outs[o]);
		});
	}
	function outputsRead(at, id) {
		var outs = at.top ? at.holder.outputs || {} : at.holder.out || {};
		return Object.keys(outs).some(function (o) {
			var r = at.top ? outs[o].from : outs[o];
			return r !== undefined && base(r) === id;
		});
	}
	/* An entry without "from" that no longer follows what it reads says so. */
	function pin(at, i, ref) {
		if (at.list[i] && at.list[i].from === undefined && before(at, i) !== ref) at.list[i].from = [ref];
	}
	function unpin(at, i) {
		var e = at.list[i], from = e && e.from;
		if (from !== undefined && [].concat(from).length === 1 && [].concat(from)[0] === before(at, i)) delete e.from;
	}

	/* ---- changes; each returns the edit of `nab edit` that does the same, with local ids, or null ---- */
	/* Into the gap before entry g: on the edge to the entry behind it, or, where that reads something else (or `all`), to
	 * all that read the entry before. */
	function insert(at, g, entry, all) {
		var p = before(at, g), next = at.list[g], on = !all && next && reads(at, g).map(base).indexOf(p) >= 0;
		var edit = { insert: clone(entry) };
		at.list.splice(g, 0, entry);
		if (on) {
			swapRef(next, p, entry.id);
			edit.before = next.id;
			return edit;
		}
		at.list.forEach(function (e, i) { if (i > g) swapRef(e, p, entry.id); });
		if (!next || outputsRead(at, p)) outputs(at, p, entry.id);
		edit.after = p;
		return g > 0 ? edit : null;
	}
	function remove(at, i) {
		var e = at.list[i], source = reads(at, i)[0], last = i === at.list.length - 1;
		at.list.splice(i, 1);
		if (!last) pin(at, i, source);
		at.list.forEach(function (x) { swapRef(x, e.id, source); });
		outputs(at, e.id, source);
		if (!last) unpin(at, i);
		return { remove: e.id };
	}
	/* To the gap before entry g (counted before it is taken out). Who reads it by name from afar still does. */
	function move(at, i, g) {
		var e = at.list[i], from = reads(at, i), source = from[0], edits = [], p, next, k;
		for (k = i; k < g - 1; k++) edits.push({ swap: e.id, with: at.list[k + 1].id });
		for (k = i; k > g; k--) edits.push({ swap: at.list[k - 1].id, with: e.id });
		at.list.splice(i, 1);
		if (at.list[i]) {
			pin(at, i, source);
			swapRef(at.list[i], e.id, source);
			unpin(at, i);
		} else if (outputsRead(at, e.id)) outputs(at, e.id, source);
		g -= g > i;
		p = before(at, g);
		next = at.list[g];
		delete e.from;
		if (from.length > 1) e.from = [p].concat(from.slice(1));
		at.list.splice(g, 0, e);
		if (next) swapRef(next, p, e.id);
		else outputs(at, p, e.id);
		return edits;
	}

	return { clone: clone, kind: kind, options: options, definition: definition, relax: relax, rows: rows, twins: twins,
		reach: reach, uses: uses, freshId: freshId, before: before, reads: reads, base: base, insert: insert, remove: remove,
		move: move, inputName: inputName };
})();
