package capacity

// answer is what a search found.
type answer struct {
	// Load is the highest that holds, 0 if none does.
	Load float64
	// Held is in how many of its latest full trials it did, of Of.
	Held, Of int
	Spread   spread
}

// spread is where the limit lies by the trials in full: at Low and below none of them
// failed, at High and above none held. A High of 0 is unknown.
type spread struct{ Low, High float64 }

// answer returns what the trials so far come to.
func (p plan) answer(trials []trial) answer {
	b := p.bounds(trials)
	var a answer
	if b.low != nil {
		latest := b.low.full.latest(p.Repeat)
		a.Load, a.Held, a.Of = b.low.at, latest.held(), latest.count()
		a.Spread.Low = b.low.at
	}
	if b.high != nil {
		a.Spread.High = b.high.at
	}
	for _, l := range b.loads {
		failed := l.full.count() - l.full.held()
		switch {
		case failed > 0 && l.at <= a.Spread.Low:
			a.Spread.Low = 0
			for _, lower := range b.loads {
				if lower.at < l.at {
					a.Spread.Low = lower.at
				}
			}
		case l.full.held() > 0 && a.Spread.High > 0 && l.at >= a.Spread.High:
			a.Spread.High = 0
			for i := len(b.loads) - 1; i >= 0 && b.loads[i].at > l.at; i-- {
				a.Spread.High = b.loads[i].at
			}
		}
	}
	return a
}
