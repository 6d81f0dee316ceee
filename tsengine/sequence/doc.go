// Package sequence holds the model of a task sequence and its lossless XML.
//
// [Parse] reads the bare <sequence> of Configuration Manager, the object.xml of an export, and the ts.xml of MDT and
// PSD, in every encoding that occurs in practice (task-sequence-xml.md section 2). It keeps the element tree as it was
// written, unknown attributes and elements included, and builds the model beside it; [Sequence.Export] writes the tree
// back as an equivalent document. Input is hostile until parsed: size, depth and number of elements are bounded, DTDs
// and entities are refused, and every refusal is an [*Error] with line and column.
//
// The package does not evaluate conditions, expand variables or run anything.
package sequence
