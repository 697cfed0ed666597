package scoring

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"

	"github.com/medforge/medforge/pkg/fault"
)

// Score is what one prediction file is worth. No number in it is ever NaN or
// infinite.
type Score struct {
	Primary       float64    `json:"primary_score"`
	Components    Components `json:"score_components"`
	Metric        string     `json:"metric"`
	MetricVersion string     `json:"metric_version"`
}

// Components are numbers that stand beside a score: the metric itself first,
// then its parts. They are few and never by class or row, so that they tell
// little about the labels. In JSON they are one object, in this order.
type Components []Component

// Component is one named number.
type Component struct {
	Name  string
	Value float64
}

// Get returns the named number.
func (c Components) Get(name string) (float64, bool) {
	for _, x := range c {
		if x.Name == name {
			return x.Value, true
		}
	}
	return 0, false
}

// MarshalJSON writes one object with the names in order.
func (c Components) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, x := range c {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(x.Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(x.Value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads what MarshalJSON writes and keeps the order.
func (c *Components) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	open, err := dec.Token()
	if err != nil {
		return err
	}
	*c = nil
	if open == nil {
		return nil
	}
	if open != json.Delim('{') {
		return fmt.Errorf("score components: expected an object, found %v", open)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		var value float64
		if err := dec.Decode(&value); err != nil {
			return fmt.Errorf("score component %v: %w", name, err)
		}
		*c = append(*c, Component{name.(string), value})
	}
	return nil
}

// newScore puts a score together and lets no number out that is not finite:
// every metric says itself when it is undefined, so one here is our mistake.
func newScore(m Metric, primary float64, parts Components) (Score, error) {
	all := append(Components{{m.Name, primary}}, parts...)
	for _, c := range all {
		if math.IsNaN(c.Value) || math.IsInf(c.Value, 0) {
			return Score{}, fault.New(fault.Internal, "competitions/score-not-finite",
				"The metric %s gave %v for %s.", m.Name, c.Value, c.Name)
		}
	}
	return Score{Primary: primary, Components: all, Metric: m.Name, MetricVersion: m.Version}, nil
}
