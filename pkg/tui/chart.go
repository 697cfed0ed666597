package tui

import (
	"math"
	"strings"
	"time"

	"github.com/medforge/medforge/pkg/api"
)

// Readings are kept for a few minutes.
const keptReadings = 300

// reading is what one device did at one moment.
type reading struct {
	at       time.Time
	use, mem float64 // percent
}

// history is the last readings of a device, oldest first.
type history struct{ rows []reading }

func (h *history) add(at time.Time, g api.GPU) {
	mem := 0.0
	if g.MemoryTotalBytes > 0 {
		mem = 100 * float64(g.MemoryUsedBytes) / float64(g.MemoryTotalBytes)
	}
	if len(h.rows) >= keptReadings {
		h.rows = append(h.rows[:0], h.rows[len(h.rows)-keptReadings+1:]...)
	}
	h.rows = append(h.rows, reading{at, float64(g.UtilisationPercent), mem})
}

// last returns the newest n values, oldest first.
func (h *history) last(n int, of func(reading) float64) []float64 {
	if h == nil {
		return nil
	}
	rows := h.rows[max(0, len(h.rows)-max(0, n)):]
	out := make([]float64, len(rows))
	for i, r := range rows {
		out[i] = of(r)
	}
	return out
}

// span is how far back the newest n readings go.
func (h *history) span(n int) time.Duration {
	if h == nil || len(h.rows) < 2 {
		return 0
	}
	rows := h.rows[max(0, len(h.rows)-max(0, n)):]
	return rows[len(rows)-1].at.Sub(rows[0].at)
}

func use(r reading) float64 { return r.use }
func mem(r reading) float64 { return r.mem }

var eighths = []rune(" ▁▂▃▄▅▆▇█")

// spark draws values of 0 to 100 in one line, the newest at the right.
func spark(values []float64, columns int) string { return area(values, columns, 1) }

// area draws values of 0 to 100 as a filled chart of so many lines. Even 0 is
// seen, as the lowest bar: there was a reading.
func area(values []float64, columns, lines int) string {
	if len(values) > columns {
		values = values[len(values)-columns:]
	}
	rows := make([]string, lines)
	for line := range rows {
		var b strings.Builder
		b.WriteString(strings.Repeat(" ", columns-len(values)))
		floor := lines - 1 - line
		for _, v := range values {
			level := max(1, int(math.Round(v/100*float64(lines*8))))
			b.WriteRune(eighths[max(0, min(8, level-8*floor))])
		}
		rows[line] = b.String()
	}
	return strings.Join(rows, "\n")
}

// bar is a share of something: filled, and what is free as a thin line.
func (th *theme) bar(percent float64, columns int) string {
	n := int(math.Round(percent / 100 * float64(columns)))
	n = max(0, min(columns, n))
	return th.load(percent).Render(strings.Repeat("━", n)) + th.line.Render(strings.Repeat("─", columns-n))
}

// plot draws points over time as braille dots: two across and four up in each
// place. The least and the most value stand at its left.
func plot(at []time.Time, values []float64, columns, lines int) (rows []string, low, high float64) {
	rows = make([]string, lines)
	if len(values) == 0 || columns < 1 || lines < 1 {
		return rows, 0, 0
	}
	low, high = values[0], values[0]
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	begin, end := at[0], at[len(at)-1]
	dots := make([][]rune, lines)
	for i := range dots {
		dots[i] = make([]rune, columns)
	}
	set := func(x, y int) { // y counts from the top
		// Unicode's braille patterns: columns of dots 1-2-3-7 and 4-5-6-8.
		bits := [2][4]rune{{0x01, 0x02, 0x04, 0x40}, {0x08, 0x10, 0x20, 0x80}}
		dots[y/4][x/2] |= bits[x%2][y%4]
	}
	place := func(i int) (int, int) {
		x, y := 2*columns-1, 2*lines
		if span := end.Sub(begin); span > 0 {
			x = int(float64(at[i].Sub(begin)) / float64(span) * float64(2*columns-1))
		}
		if high > low {
			y = int(math.Round((high - values[i]) / (high - low) * float64(4*lines-1)))
		}
		return x, y
	}
	px, py := place(0)
	set(px, py)
	for i := 1; i < len(values); i++ {
		x, y := place(i) // a value holds until the next one: steps, no slopes
		line(px, py, x, py, set)
		line(x, py, x, y, set)
		px, py = x, y
	}
	for i := range rows {
		var b strings.Builder
		for _, d := range dots[i] {
			if d == 0 {
				b.WriteByte(' ')
			} else {
				b.WriteRune(0x2800 + d)
			}
		}
		rows[i] = b.String()
	}
	return rows, low, high
}

// line sets the dots from one place to another (Bresenham 1965).
func line(x, y, tox, toy int, set func(x, y int)) {
	dx, dy := abs(tox-x), -abs(toy-y)
	sx, sy := sign(tox-x), sign(toy-y)
	for e := dx + dy; ; {
		set(x, y)
		if x == tox && y == toy {
			return
		}
		e2 := 2 * e
		if e2 >= dy {
			e += dy
			x += sx
		}
		if e2 <= dx {
			e += dx
			y += sy
		}
	}
}

func abs(n int) int { return max(n, -n) }

func sign(n int) int {
	switch {
	case n > 0:
		return 1
	case n < 0:
		return -1
	}
	return 0
}
