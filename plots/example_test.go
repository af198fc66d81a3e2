package plots_test

import (
	"bytes"
	"fmt"
	"image/png"
	"strings"

	"example.org/comet/memlog/series"
	"example.org/comet/plots"
)

func Example() {
	const text = `Mon Oct 20 16:57:24 BST 2008 1224518244 40388 1
Mon Oct 20 16:58:25 BST 2008 1224518305 41120 263
Mon Oct 20 16:59:27 BST 2008 1224518367 65252 5267
`
	log := &plots.Log{Name: "mochimem.log"}
	for r := series.NewReader(strings.NewReader(text), log.Name); r.Scan(); {
		if r.Malformed() == nil {
			log.Add(r.Sample())
		}
	}
	logs := []*plots.Log{log}
	var picture bytes.Buffer
	if err := plots.Draw(&picture, plots.PNG, plots.Config{Title: plots.DefaultTitle(logs), Logs: logs}); err != nil {
		fmt.Println(err)
		return
	}
	img, err := png.Decode(&picture)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(img.Bounds().Size())
	// Output: (500,300)
}

func ExampleChart() {
	chart := plots.Chart{
		Title: "Connections",
		X:     plots.Axis{Name: "seconds", Unit: plots.Elapsed},
		Y:     plots.Axis{Name: "connections"},
		Bands: []plots.Band{{Name: "connect", From: 0, To: 2}, {Name: "idle", From: 2, To: 5}},
		Lines: []plots.Line{{Points: []plots.Point{{X: 0, Y: 0}, {X: 2, Y: 10_000}, {X: 5, Y: 10_000}}}},
	}
	fmt.Println(strings.HasPrefix(chart.SVG(), `<svg class="chart"`))
	fmt.Print(chart.CSV())
	// Output:
	// true
	// seconds,connections
	// 0,0
	// 2,10000
	// 5,10000
}
