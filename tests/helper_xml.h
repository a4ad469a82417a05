/* tests/helper_xml.h - a small judge of markup: is it well-formed, and which elements and attributes does it hold? */
#ifndef NAB_TESTS_HELPER_XML_H
#define NAB_TESTS_HELPER_XML_H

#include <stdbool.h>

struct xml_seen { /* called for every element and attribute; either may be NULL */
	void (*element)(void *arg, const char *name);
	void (*attribute)(void *arg, const char *name, const char *value); /* value as written */
	void *arg;
};

/* NULL if `text` is well-formed: tags nest, attributes are quoted and unique, no raw < or & in text or values. Else
 * what is wrong, and where (static text). html: void elements, attributes without value, raw script and style, a
 * doctype. */
const char *xml_wrong(const char *text, bool html, const struct xml_seen *seen);

#endif
