package router

// pages is an array that grows a page at a time: elements never move, so that
// growing copies nothing and leaves no garbage.
type pages[T any] struct {
	page []*[pageLen]T
}

const (
	pageBits = 7
	pageLen  = 1 << pageBits
)

// grow makes room for index i.
func (p *pages[T]) grow(i uint32) {
	for int(i>>pageBits) >= len(p.page) {
		p.page = append(p.page, new([pageLen]T))
	}
}

func (p *pages[T]) has(i uint32) bool { return int(i>>pageBits) < len(p.page) }

func (p *pages[T]) at(i uint32) *T { return &p.page[i>>pageBits][i%pageLen] }
