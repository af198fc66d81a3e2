package flood

import "fmt"

// CheckSubscribers returns an error unless so many connections fill their rooms, with
// the number of subscribers that each has.
func CheckSubscribers(connections, subscribers int) error {
	if subscribers < 2 || connections%subscribers == 0 {
		return nil
	}
	fewer := connections - connections%subscribers
	fits := fmt.Sprintf("open %d or %d", fewer, fewer+subscribers)
	if fewer == 0 {
		fits = fmt.Sprintf("open %d", subscribers)
	}
	return fmt.Errorf("%d connections are no whole number of rooms of %d: %s", connections, subscribers, fits)
}

// rooms returns how many rooms the connections are in.
func (c *Config) rooms() int {
	return (c.Skip + c.Connections + c.Subscribers - 1) / c.Subscribers
}

// checkRooms returns what is wrong with the rooms.
func (c *Config) checkRooms() error {
	switch rooms := max(c.LastID-c.FirstID+1, 1); {
	case c.Subscribers < 1:
		return fmt.Errorf("flood: %d subscribers: use 1 or more", c.Subscribers)
	case c.Skip < 0 || c.Skip >= c.Subscribers:
		return fmt.Errorf("flood: of the first id's %d subscribers %d are skipped: leave one at least", c.Subscribers, c.Skip)
	case c.Subscribers == 1:
		return nil
	case len(c.URLs) > 0 && c.rooms() > len(c.URLs):
		return fmt.Errorf("flood: %d connections with %d for each URL take %d URLs, and there are %d: open %d", c.Connections, c.Subscribers, c.rooms(), len(c.URLs), len(c.URLs)*c.Subscribers)
	case int64(c.rooms()) > rooms:
		return fmt.Errorf("flood: %d connections with %d for each id take %d ids, and there are %d: open %d, or give more ids", c.Connections, c.Subscribers, c.rooms(), rooms, rooms*int64(c.Subscribers))
	}
	return nil
}
