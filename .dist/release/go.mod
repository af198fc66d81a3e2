module example.org/comet/dist/release

go 1.26.0
