package scoring

import (
	"cmp"
	"slices"
	"strconv"
)

// iouThresholds are written out: a sum of steps of 0.05 misses 0.55 and others
// by a last digit, and a hit must be above its threshold.
var iouThresholds = [...]float64{0.40, 0.45, 0.50, 0.55, 0.60, 0.65, 0.70, 0.75}

// mapIoU is the metric of the RSNA Pneumonia Detection Challenge. Per image and
// threshold it is TP / (TP + FP + FN); an image's score is the mean over the
// thresholds, the score the mean over the images.
//
// Boxes are matched by falling confidence, ties in file order. Each takes the
// free true box that it overlaps best (of equals the first in the holdout) if
// their IoU is above the threshold. An image without true boxes scores 0 if any
// box is predicted, and is left out of the mean if none is; if nothing remains
// the score is 0.
//
// Source: the competition's evaluation page, which says all but what an image
// with neither is worth; leaving it out is what its public top solutions do.
// Higher is better, from 0 to 1. Areas are of real numbers, without one added
// to a side. Defined for every holdout.
func mapIoU(p *problem) (float64, Components, error) {
	var totals [len(iouThresholds)]sum
	var total sum
	images := 0
	var m matcher
	for i := range p.n {
		truth, pred := p.truth.boxes.of(i), p.pred.boxes.of(i)
		if len(truth)+len(pred) == 0 {
			continue
		}
		images++
		if len(truth) == 0 || len(pred) == 0 {
			continue // no hit at any threshold
		}
		m.load(truth, pred)
		var image sum
		for k, threshold := range iouThresholds {
			hits := m.hits(threshold)
			precision := float64(hits) / float64(len(pred)+len(truth)-hits)
			totals[k].add(precision)
			image.add(precision)
		}
		total.add(image.value() / float64(len(iouThresholds)))
	}
	share := func(s sum) float64 {
		if images == 0 {
			return 0
		}
		return s.value() / float64(images)
	}
	parts := Components{{"images", float64(images)}}
	for k, threshold := range iouThresholds {
		parts = append(parts, Component{"precision@" + strconv.FormatFloat(threshold, 'f', 2, 64), share(totals[k])})
	}
	return share(total), parts, nil
}

// matcher matches one image's boxes; its slices are used again for the next.
type matcher struct {
	ranked   []box
	overlaps []float64 // of each ranked box with each true one
	taken    []bool
}

// load ranks the predictions and works out all overlaps.
func (m *matcher) load(truth, pred []box) {
	m.ranked = append(m.ranked[:0], pred...)
	slices.SortStableFunc(m.ranked, func(a, b box) int { return cmp.Compare(b.confidence, a.confidence) })
	m.overlaps = m.overlaps[:0]
	for _, b := range m.ranked {
		for _, t := range truth {
			m.overlaps = append(m.overlaps, b.iou(t))
		}
	}
	m.taken = slices.Grow(m.taken[:0], len(truth))[:len(truth)]
}

// hits counts the true positives at a threshold.
func (m *matcher) hits(threshold float64) int {
	clear(m.taken)
	n := 0
	for i := range m.ranked {
		best, at := threshold, -1
		for j, overlap := range m.overlaps[i*len(m.taken) : (i+1)*len(m.taken)] {
			if overlap > best && !m.taken[j] {
				best, at = overlap, j
			}
		}
		if at >= 0 {
			m.taken[at] = true
			n++
		}
	}
	return n
}

// iou is the area two boxes share over the area they cover together.
func (b box) iou(o box) float64 {
	width := min(b.x+b.width, o.x+o.width) - max(b.x, o.x)
	height := min(b.y+b.height, o.y+o.height) - max(b.y, o.y)
	if width <= 0 || height <= 0 {
		return 0
	}
	both := float64(width * height)
	return both / (float64(b.width*b.height) + float64(o.width*o.height) - both)
}
