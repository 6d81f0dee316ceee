// Package yamlform is the YAML form of task sequences, made for people to write and to read, and one to one with the XML:
// [Marshal] and [Parse] lose no element, attribute, order, condition, value or unknown extension. What has no short form
// is kept as XML text in place.
//
// Attributes and texts that nearly all nodes of a document share are said once (the document's "defaults", or those of
// its schema version), so that a step shows only what is its own. PowerShell sources are shown as text where that is
// exact. The page docs/sequences.md describes the form. Input is hostile until parsed: size, depth and number of values
// are bounded, anchors, aliases and tags are refused, unknown keys are errors, and every refusal names line and column.
package yamlform
