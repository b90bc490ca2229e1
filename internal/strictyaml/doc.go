// Package strictyaml reads configuration files: a key that is not used is an
// error, and every error names file, line and column.
//
// A file is read as one tree of values, which is right for what people write. A [List]
// at the top level is read in parts, so that a hundred thousand elements take neither
// the memory of their tree nor the time of one core.
//
// It imports nothing of the gateway.
package strictyaml
