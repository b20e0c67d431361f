// Package meilibleve answers the part of the Meilisearch HTTP API that Daybook uses, over
// Bleve, in this process and durable in a folder. It lets the search view have one code
// path, the official client's, whether Meilisearch is installed or not.
//
// What belongs here: the protocol (routes, JSON shapes, status and error codes, tasks), the
// filter language, and how documents are laid out and ranked in a Bleve index. What a
// restaurant is, and which fields are searched, is the package above this one; nothing here
// knows of either.
//
// # What is spoken
//
// Health, version, stats; indexes (make, list, read, drop, swap); settings, whole and one
// by one; documents (add, update, read, list, delete) in JSON and NDJSON; tasks; search with
// typo tolerance, prefix search on the last word, filters, sort, geo, facets and pages. A
// search parameter or a setting which this engine would not act on is refused with 400, so
// that nobody relies on what is not there: highlights, distinct, vectors, synonyms, stop
// words, CSV.
//
// Results are ranked by the rules Meilisearch names: words, typo, proximity, attribute
// (attributeRank, wordPosition), sort, exactness and custom ones. Each is computed from the
// positions of the matches, so the order is the same but for two refinements that are left
// out: a word split in two or two written as one, and quoted phrases.
//
// # Tasks and durability
//
// A write is executed before its answer is sent; the answer says "enqueued", as
// Meilisearch's does, and the task, when asked for, has already succeeded or failed. A task
// that succeeded is on disk: one task is one Bleve batch, and Bleve's Batch returns when its
// persister has synced the segment and committed the root that names it (its "unsafe_batch",
// off here, would skip that). A batch is found after a crash wholly or not at all, so what a
// client writes in one task, such as documents together with a checkpoint, never disagrees.
// Which indexes there are, their settings and which folder holds each stand in a bbolt file,
// whose transactions make a swap of several pairs one step.
//
// The list of tasks is kept in memory, the last thousand: who waits for a task is in this
// process too.
//
// # Who can reach it
//
// Nobody outside the process: no port is opened. Client and Transport call the handler
// directly. A second process that opens the same folder gets ErrInUse.
package meilibleve
