/* report/model_pack.h - everything the page knows of one detailed model, as one packed text (base/pack.h) of JSON, so
 * that hundreds of models fit into a page and only the one that is looked at costs time:
 *
 *	name       what commands call it
 *	svg, legend   its chart, as markup of our own making
 *	change     {words, repairs}, how it was made from its parent; null
 *	diff       [[kind, layer, words, words before]]: only what differs from the parent
 *	recipe, proposal   texts of JSON
 *	findings   [[code, text, layer or null, index of the run]]
 *	runs       [{run, seed, state, reason, cached, score, train, val, loss, epochs, best, seconds, attempts,
 *	             steps, rate, tl, ta, vl, va, grad, time: a value an epoch, 6 digits;
 *	             wrong: [gap, class, ...] the examples it missed: the distance from the one before (the first: from
 *	             -1), and what it took them for; null where nothing is stored or the page would be too big}]
 *	confusion  [classes * classes], summed over the finished runs, rows true; null
 *	groups     [[id, block, first layer, layers, enclosing group or -1]]
 *	layers     [[id, words, shape, parameters, multiply-adds]]
 *	profile    {backend, batch, optimizer, input, loss (ms), weights, gradients, moments, activations, workspace,
 *total (bytes), forward, backward (ms a layer, null: unknown), bytes, fused (id of the layer it runs in, or null)};
 *null
 */
#ifndef NAB_REPORT_MODEL_PACK_H
#define NAB_REPORT_MODEL_PACK_H

struct model_packer;
struct page;
struct str;

struct model_packer *model_packer_new(const struct page *p);
void model_packer_free(struct model_packer *k);

/* Best rows first: what does not fit any more is left out of the later ones. */
void model_pack(struct str *out, struct model_packer *k, int row);

#endif
