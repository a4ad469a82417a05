/* report/page/engine.js - nab itself on the page: base/, arch/, mutate/ and the SNACs in WebAssembly (wasm/editor.c).
 *
 * nab.engine(packed) promises { ask(what, text), check(model) }: ask() is a question of wasm/editor.c and its answer, both
 * JSON; check() answers also where nab stops on a model, which would be a mistake of ours.
 */
nab.engine = function (packed) {
	"use strict";
	var running = null, module = null;

	/* What libc asks of a system: a place for the words of a failed assertion, and no more. */
	function imports(memory) {
		function write(fd, list, n, done) {
			var v = new DataView(memory().buffer), sum = 0;
			for (var i = 0; i < n; i++) sum += v.getUint32(list + 8 * i + 4, true);
			v.setUint32(done, sum, true);
			return 0;
		}
		return { wasi_snapshot_preview1: { fd_write: write, fd_close: function () { return 0; }, fd_seek: function () { return 70; },
			proc_exit: function (code) { throw new Error("ended with " + code); } } };
	}
	function begin() {
		var memory;
		return WebAssembly.instantiate(module, imports(function () { return memory; })).then(function (i) {
			memory = i.exports.memory;
			i.exports._initialize();
			running = i.exports;
		});
	}
	function ask(what, question) {
		var x = running, at = 0, bytes, answer, all, end, text;
		if (question !== undefined) {
			bytes = new TextEncoder().encode(question + "\0");
			at = x.editor_new(bytes.length);
			new Uint8Array(x.memory.buffer).set(bytes, at);
		}
		try {
			answer = x["editor_" + what](at);
		} catch (e) { /* after a trap an instance is of no use: a new one for the next question */
			begin();
			throw e;
		}
		all = new Uint8Array(x.memory.buffer);
		for (end = answer; all[end]; end++);
		text = new TextDecoder().decode(all.subarray(answer, end));
		x.editor_free(answer);
		if (at) x.editor_free(at);
		return JSON.parse(text);
	}
	function check(model) {
		try {
			return ask("check", JSON.stringify(model));
		} catch (e) {
			return { ok: false, whole: false, errors: [{ where: "", msg: "nab stopped on this model (" + e.message + "): undo the last change" }] };
		}
	}
	var bytes = Uint8Array.from(atob(packed), function (c) { return c.charCodeAt(0); });
	return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer()
		.then(function (b) { return WebAssembly.compile(b); })
		.then(function (m) { module = m; return begin(); })
		.then(function () { return { ask: ask, check: check }; });
};
