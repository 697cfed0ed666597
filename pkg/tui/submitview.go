package tui

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/termtext"
)

func (s *submit) view(columns, lines int) string {
	head := " " + s.th.strong.Render("Submit to "+clean(s.competition.Slug))
	if s.step != picking {
		head += "  " + s.th.muted.Render(clean(filepath.Base(s.file)))
	}
	switch s.step {
	case picking:
		return head + "\n" + s.picker.view(columns, lines-1)
	case noting:
		s.note.Width = max(8, columns-14)
		return head + "\n\n  " + s.note.View() + "\n\n" + s.th.muted.Render("  enter sends the file, esc chooses another one.")
	case sending:
		return head + "\n\n" + s.progress(columns)
	case scoring:
		return head + "\n\n  " + s.th.good.Render("✓") + " Sent and accepted.\n  " + s.th.warn.Render("·") + " Scoring.\n\n" + s.left()
	case scored:
		return head + "\n\n" + s.result(columns)
	}
	return head + "\n\n" + s.refusal(columns, lines-2)
}

// progress is the bar of the upload; when all is sent, the daemon checks it.
func (s *submit) progress(columns int) string {
	sent := min(s.sent.Load(), s.size)
	p := 100.0
	if s.size > 0 {
		p = 100 * float64(sent) / float64(s.size)
	}
	w := max(8, min(50, columns-8))
	n := int(math.Round(p / 100 * float64(w)))
	bar := s.th.accent.Render(strings.Repeat("━", n)) + s.th.line.Render(strings.Repeat("─", w-n))
	text := fmt.Sprintf("%s of %s", termtext.Bytes(sent), termtext.Bytes(s.size))
	if sent >= s.size {
		text += ", and now it is checked"
	}
	return fmt.Sprintf("  %s %3.0f %%\n  %s", bar, p, s.th.muted.Render(text))
}

// left says what is left of the day.
func (s *submit) left() string {
	c := s.created
	return s.th.muted.Render(fmt.Sprintf("  %d of %d left today; anew at %s.", c.RemainingToday, c.DailyCap, stamp(c.ResetsAt, s.now())))
}

func (s *submit) result(columns int) string {
	sub := s.created.Submission
	if sub.ScoreStatus == api.ScoreFailed || sub.OfficialScore == nil {
		return s.th.bad.Render(indent(wrap("It was not scored: "+clean(sub.ScoreError), columns-4))) + "\n\n" + s.left()
	}
	v := sub.OfficialScore.PrimaryScore
	rows := []string{"  " + s.th.muted.Render(pad("Score", 10)) + s.th.strong.Render(score(v)), "  " + s.th.muted.Render(pad("Your best", 10)) + s.best(v)}
	if me := s.after.Me; me != nil {
		rows = append(rows, "  "+s.th.muted.Render(pad("Rank", 10))+fmt.Sprintf("%s of %s", group(me.Rank), group(s.after.Total)))
	}
	return strings.Join(rows, "\n") + "\n\n" + s.left()
}

// best compares a score with the best before it.
func (s *submit) best(v float64) string {
	if s.before == nil || s.before.EvaluationSplitVersion != s.after.EvaluationSplitVersion {
		return s.th.good.Render("this one, the first")
	}
	gain := v - s.before.PrimaryScore
	change := fmt.Sprintf("%+.6f", gain)
	switch {
	case gain == 0:
		return score(s.before.PrimaryScore) + ", the same"
	case gain > 0 == s.after.HigherIsBetter:
		return s.th.good.Render("this one") + fmt.Sprintf("; it was %s (%s)", score(s.before.PrimaryScore), change)
	}
	return fmt.Sprintf("still %s (%s)", score(s.before.PrimaryScore), change)
}

// refusal is why the file was not taken, with every mistake in it.
func (s *submit) refusal(columns, lines int) string {
	e := fault.As(s.err)
	message := indent(wrap(why(s.err), columns-4))
	if e != nil && e.RetryAfter > 0 {
		message += "\n  Try again in " + age(e.RetryAfter) + "."
	}
	if e == nil || len(e.Fields) == 0 {
		return s.th.bad.Render(message)
	}
	if rows := strings.Split(message, "\n"); len(rows) > 2 || lines < 12 {
		message = strings.Join(rows[:min(len(rows), 1+lines/12)], "\n")
	}
	cols := []column{{title: "WHERE", width: 14, grow: 1, most: 30}, {title: "WHAT IS WRONG", width: 16, grow: 4}}
	rest := lines - 1 - strings.Count(message, "\n")
	detail := ""
	if lines >= 12 { // a mistake that is cut off in the table stands below it in full
		f := e.Fields[min(s.grid.cursor, len(e.Fields)-1)]
		detail = "\n" + s.th.line.Render(strings.Repeat("─", columns)) + "\n" + box(indent(wrap(clean(f.Loc)+": "+clean(f.Msg), columns-4)), columns, 3)
		rest -= 4
	}
	return s.th.bad.Render(message) + "\n" + s.grid.view(s.th, cols, columns, rest, len(e.Fields), func(i int) []cell {
		f := e.Fields[i]
		return []cell{{clean(f.Loc), s.th.strong}, {clean(f.Msg), s.th.text}}
	}) + detail
}
