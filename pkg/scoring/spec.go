package scoring

// Type says how the fields of a column are read.
type Type string

// The types of column.
const (
	Int      Type = "int"      // a whole number; "3" and "3.0" are the same
	Float    Type = "float"    // a decimal number, with or without an exponent
	Category Type = "category" // one of Classes, letter for letter
	RLE      Type = "rle"      // a run-length mask over Width by Height pixels
	Boxes    Type = "boxes"    // boxes with a confidence, see map_iou
)

// Spec says what a competition's prediction file looks like and how it is
// scored. It is what competition.yaml holds about scoring.
type Spec struct {
	// IDColumn names the column that says which item a row is about.
	IDColumn string `json:"id_column" yaml:"id_column"`
	// Targets are the columns that a submission has beside the id, in the
	// order of sample_submission.csv; submissions may order them as they like.
	Targets []Column `json:"targets" yaml:"targets"`
	// Truth is the holdout's own column, where it is not the targets over
	// again: the label that a probability, or one probability a class, is
	// about. Nil means that the holdout has the columns of Targets (0 or 1 for
	// a single probability; see Boxes for what stands there).
	Truth *Column `json:"truth,omitempty" yaml:"truth,omitempty"`
	// Rows is how many ids the holdout has; 0 takes as many as there are.
	Rows int `json:"rows,omitempty" yaml:"rows,omitempty"`
	// Metric names the metric, see Metrics.
	Metric string `json:"metric" yaml:"metric"`
	// Options are the metric's own settings.
	Options Options `json:"options,omitzero" yaml:"options,omitempty"`
	// Limits bound what a submission may cost to read.
	Limits Limits `json:"limits,omitzero" yaml:"limits,omitempty"`
}

// Column describes one column of a prediction file or of the holdout.
type Column struct {
	Name string `json:"name" yaml:"name"`
	Type Type   `json:"type" yaml:"type"`
	// Min and Max bound an int or a float, both ends included.
	Min *float64 `json:"min,omitempty" yaml:"min,omitempty"`
	Max *float64 `json:"max,omitempty" yaml:"max,omitempty"`
	// Classes are a category's values; their order is what
	// quadratic_weighted_kappa measures along.
	Classes []string `json:"classes,omitempty" yaml:"classes,omitempty"`
	// Width and Height are a mask's size in pixels.
	Width  int `json:"width,omitempty" yaml:"width,omitempty"`
	Height int `json:"height,omitempty" yaml:"height,omitempty"`
	// MaxBoxes is how many boxes one id may have; 0 means 100.
	MaxBoxes int `json:"max_boxes,omitempty" yaml:"max_boxes,omitempty"`
}

// Options are settings of a metric. One that the metric does not take is a
// mistake in the Spec.
type Options struct {
	// Positive is the class that counts as 1 where a single probability is
	// scored against a category of two classes.
	Positive string `json:"positive,omitempty" yaml:"positive,omitempty"`
	// Epsilon is log_loss's clip; 0 means float64's own, 2.22e-16, which is
	// scikit-learn's.
	Epsilon float64 `json:"epsilon,omitempty" yaml:"epsilon,omitempty"`
	// EmptyMasks says what an image is worth where neither the truth nor the
	// prediction marks a pixel: "one" (default) or "skip", which leaves it out
	// of the mean.
	EmptyMasks string `json:"empty_masks,omitempty" yaml:"empty_masks,omitempty"`
}

// Limits bound what reading a file may cost. Zero means the default.
type Limits struct {
	// MaxBytes of the whole file, the holdout's too; 128 MiB, at most 2 GiB.
	MaxBytes int64 `json:"max_bytes,omitempty" yaml:"max_bytes,omitempty"`
	// MaxField is the most bytes in one field: 1 KiB, 32 KiB where there are
	// boxes, 1 MiB where there are masks.
	MaxField int `json:"max_field,omitempty" yaml:"max_field,omitempty"`
	// MaxRows is how many rows are read, the header not counted: four an id
	// and 1,000 more, or as many as MaxBoxes allows where a row is a box.
	MaxRows int `json:"max_rows,omitempty" yaml:"max_rows,omitempty"`
	// MaxExamples is how many examples are kept of each kind of mistake; 5.
	MaxExamples int `json:"max_examples,omitempty" yaml:"max_examples,omitempty"`
}

const (
	defaultMaxBytes    = 128 << 20
	maxFileBytes       = 2 << 30
	defaultMaxBoxes    = 100
	defaultMaxExamples = 5
	// maxClasses bounds the classes of a label column, and so the counters
	// that a metric keeps for them.
	maxClasses = 1 << 20
	// maxPixels bounds a mask's area so that pixel numbers fit 32 bits.
	maxPixels = 1 << 31
	// maxIDs bounds the holdout, so that an id's place fits 32 bits.
	maxIDs = 1 << 28
	// maxExamplesCeiling keeps an answer that lists mistakes small.
	maxExamplesCeiling = 100
)

// withDefaults fills what the Spec leaves open.
func (l Limits) withDefaults(targets []Column) Limits {
	if l.MaxBytes == 0 {
		l.MaxBytes = defaultMaxBytes
	}
	if l.MaxExamples == 0 {
		l.MaxExamples = defaultMaxExamples
	}
	if l.MaxField == 0 {
		l.MaxField = 1 << 10
		for _, c := range targets {
			switch c.Type {
			case RLE:
				l.MaxField = max(l.MaxField, 1<<20)
			case Boxes:
				l.MaxField = max(l.MaxField, 32<<10)
			}
		}
	}
	return l
}

// rowLimit is how many rows a submission for ids items may have.
func (l Limits) rowLimit(ids, perID int) int {
	if l.MaxRows > 0 {
		return l.MaxRows
	}
	return ids*max(perID, 4) + 1000
}
