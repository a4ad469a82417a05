/* report/page/unpack.js - what the page carries in packed form (base/pack.h): base64 of a raw deflate stream, RFC 1951.
 * Browsers can do it, too, but only in promises; what is looked at shall be there at once.
 */
nab.unpack = (function () {
	"use strict";
	var baseLength = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
	var bitsLength = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
	var baseBack = [], bitsBack = [], order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
	for (var k = 0, back = 1; k < 30; k++) {
		baseBack.push(back);
		bitsBack.push(k < 2 ? 0 : (k >> 1) - 1);
		back += 1 << bitsBack[k];
	}

	/* A canonical Huffman code: how many of each length, and the symbols in order. */
	function code(lengths) {
		var count = new Uint16Array(16), first = new Uint16Array(16), symbols = new Uint16Array(lengths.length);
		lengths.forEach(function (l) { count[l]++; });
		count[0] = 0;
		for (var i = 1; i < 16; i++) first[i] = first[i - 1] + count[i - 1];
		lengths.forEach(function (l, s) { if (l) symbols[first[l]++] = s; });
		return { count: count, symbols: symbols };
	}
	function same(n, from, to, length, list) { for (var i = from; i < to; i++) list[i] = length; return list; }
	var fixed = code(same(0, 280, 288, 8, same(0, 256, 280, 7, same(0, 144, 256, 9, same(0, 0, 144, 8, new Array(288))))));
	var fixedBack = code(same(0, 0, 30, 5, new Array(30)));

	function inflate(from) {
		var out = new Uint8Array(from.length * 8 + 1024), n = 0, at = 0, hold = 0, held = 0;
		function bits(count) {
			while (held < count) { hold |= from[at++] << held; held += 8; }
			var v = hold & ((1 << count) - 1);
			hold >>>= count;
			held -= count;
			return v;
		}
		function symbol(c) {
			var value = 0, first = 0, index = 0;
			for (var l = 1; l < 16; l++) {
				value |= bits(1);
				if (value - c.count[l] < first) return c.symbols[index + value - first];
				index += c.count[l];
				first = (first + c.count[l]) << 1;
				value <<= 1;
			}
			throw new Error("a damaged page");
		}
		function room(more) {
			if (n + more <= out.length) return;
			var wider = new Uint8Array(Math.max(2 * out.length, n + more));
			wider.set(out);
			out = wider;
		}
		function stored() {
			hold = held = 0;
			var length = from[at] | from[at + 1] << 8;
			at += 4;
			room(length);
			out.set(from.subarray(at, at + length), n);
			n += length;
			at += length;
		}
		function codes() {
			var lit = bits(5) + 257, far = bits(5) + 1, some = bits(4) + 4, lengths = same(0, 0, 19, 0, []), list = [], c, s, last, times;
			for (var i = 0; i < some; i++) lengths[order[i]] = bits(3);
			c = code(lengths);
			while (list.length < lit + far) {
				s = symbol(c);
				last = s === 16 ? list[list.length - 1] : s < 16 ? s : 0;
				times = s < 16 ? 1 : s === 16 ? 3 + bits(2) : s === 17 ? 3 + bits(3) : 11 + bits(7);
				while (times--) list.push(last);
			}
			return [code(list.slice(0, lit)), code(list.slice(lit))];
		}
		function block(literals, backs) {
			for (;;) {
				var s = symbol(literals), length, away, d;
				if (s === 256) return;
				room(258);
				if (s < 256) { out[n++] = s; continue; }
				length = baseLength[s - 257] + bits(bitsLength[s - 257]);
				d = symbol(backs);
				away = baseBack[d] + bits(bitsBack[d]);
				while (length--) { out[n] = out[n - away]; n++; }
			}
		}
		for (var last = 0; !last;) {
			last = bits(1);
			var kind = bits(2);
			if (kind === 0) stored();
			else if (kind === 1) block(fixed, fixedBack);
			else block.apply(null, codes());
		}
		return out.subarray(0, n);
	}
	return function (text) {
		var raw = atob(text), bytes = new Uint8Array(raw.length);
		for (var i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
		return new TextDecoder().decode(inflate(bytes));
	};
})();
