// Package report makes pages for people of what package result holds: of one
// experiment, of a series, of a search for the highest load, and of a comparison.
// A page needs no script and no network, and carries its numbers to be saved.
//
//	r, err := result.Read(folder)
//	…
//	err = report.Write(file, &r, report.Extras{})
package report
