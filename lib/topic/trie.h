/* trie.h – an index of patterns, by segments: which of many patterns match a name, at a cost that follows the name's
 * segments and the matches, not the number of patterns. Patterns that share segments share nodes, and a match visits
 * each node at most once, so no choice of patterns and name costs more than the trie has nodes.
 *
 * Ownership: the trie copies the pattern's text and keeps the caller's value as an opaque pointer. Several equal
 * (pattern, value) pairs are a mistake of the caller and asserted. Errors: NOMEM, after which nothing has changed.
 * Calls out: hg_trie_match() calls the visitor, which must not change the trie. */
#ifndef HG_TOPIC_TRIE_H
#define HG_TOPIC_TRIE_H

#include "base/error.h"
#include "base/hash.h"
#include "base/slice.h"

struct hg_trie;

HG_RESULT hg_trie_new(struct hg_hash_key hash_key, struct hg_trie **ret_trie);
/* Accepts NULL; values are left to the caller. */
void hg_trie_free(struct hg_trie *trie);
/* `pattern` is checked and may be exact. */
HG_RESULT hg_trie_add(struct hg_trie *trie, struct hg_slice pattern, void *value);
/* The pair must be there. Branches that are empty then are freed. */
void hg_trie_remove(struct hg_trie *trie, struct hg_slice pattern, void *value);
size_t hg_trie_count(const struct hg_trie *trie);
/* Visits the value of each pattern that matches `name`, which is checked, each pair once, in no particular order. */
void hg_trie_match(const struct hg_trie *trie, struct hg_slice name, void (*visit)(void *context, void *value),
                   void *context);
/* Asserts the structure's own rules. Walks all of it. */
void hg_trie_validate(const struct hg_trie *trie);

#endif
