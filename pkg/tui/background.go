package tui

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/cancelreader"
)

// A terminal is asked for its background's colour (OSC 11) while the program
// runs already, since many never answer, and over a slow line one answers late.
// The first frame waits a moment for it, so that its colours need not change.
const backgroundTime = 150 * time.Millisecond

// backgroundMsg ends the first frame's waiting; known says that the terminal
// answered.
type backgroundMsg struct{ known, dark bool }

// askable reports whether a terminal may be asked: one with colours, and not
// GNU screen, which hands the question on and the answer to another window.
func askable(getenv func(string) string) bool {
	term := getenv("TERM")
	return term != "dumb" && (!strings.HasPrefix(term, "screen") || getenv("TMUX") != "")
}

// askBackground asks, and waits for as long as the first frame may.
func (t *terminal) askBackground() tea.Msg {
	_, _ = t.WriteString(ansi.RequestBackgroundColor) // a terminal that is gone ends the program elsewhere
	time.Sleep(backgroundTime)
	return backgroundMsg{}
}

// darkUnasked is what the environment says of the background: COLORFGBG, as
// rxvt and Konsole set it, ends in its number among the sixteen colours, of
// which 7 and 9 to 15 are light. Dark when nothing is said.
func darkUnasked(getenv func(string) string) bool {
	v := getenv("COLORFGBG")
	n, err := strconv.Atoi(v[strings.LastIndexByte(v, ';')+1:])
	return err != nil || n != 7 && (n < 9 || n > 15)
}

// darkColour reports whether an answer (XParseColor(3)) names a dark colour;
// false for known when it names none.
func darkColour(answer string) (dark, known bool) {
	c := ansi.XParseColor(answer)
	if c == nil {
		return true, false
	}
	r, g, b, _ := c.RGBA()
	return 299*r+587*g+114*b < 500*0xffff, true // ITU-R BT.601
}

const answerBegins = "\x1b]11;"

// answerLongest bounds what is kept back: "rgba:" and four times four digits.
const answerLongest = 64

// keyboard is the terminal's input without its answer, which would be taken for
// keys, however late it comes.
//
// It ends a Read that waits by itself (release): Bubble Tea does not wait for the
// end of its own when the program is killed or panics, and closes under it what
// it reads from. That it does only with a file that has a name, which this has
// not.
type keyboard struct {
	file     *os.File
	answered func(colour string)
	held     []byte // may be the answer's beginning
	done     bool

	mu    sync.Mutex
	in    cancelreader.CancelReader // nil while nobody reads
	ended bool
}

// Fd is by which the terminal's modes are set.
func (k *keyboard) Fd() uintptr { return k.file.Fd() }

// Write is for a term.File.
func (k *keyboard) Write(p []byte) (int, error) { return k.file.Write(p) }

// Close is for a term.File.
func (k *keyboard) Close() error { return k.file.Close() }

// Read may return no byte and no error, which Bubble Tea takes well.
func (k *keyboard) Read(p []byte) (int, error) {
	if k.done || len(p) <= answerLongest {
		return k.wait(p)
	}
	n := copy(p, k.held)
	more, err := k.wait(p[n:])
	if err != nil {
		return n, err
	}
	return k.sift(p[:n+more]), nil
}

// wait reads what comes next, or ends when it is released.
func (k *keyboard) wait(p []byte) (int, error) {
	k.mu.Lock()
	if k.ended {
		k.mu.Unlock()
		return 0, cancelreader.ErrCanceled
	}
	if k.in == nil {
		in, err := cancelreader.NewReader(k.file)
		if err != nil {
			k.mu.Unlock()
			return 0, err
		}
		k.in = in
	}
	in := k.in
	k.mu.Unlock()
	n, err := in.Read(p)
	if err != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.in = nil
		_ = in.Close() // the terminal itself stays open
	}
	return n, err
}

// release ends the Read that waits, or the next one; with forGood all of them.
func (k *keyboard) release(forGood bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended = forGood
	if k.in != nil {
		k.in.Cancel()
	}
}

// sift takes the answer out of p, in place, and returns how much is left. What
// may be its beginning is held for the next time; a lone escape never is: that
// is a key.
func (k *keyboard) sift(p []byte) int {
	k.held = k.held[:0]
	at := bytes.Index(p, []byte(answerBegins))
	if at < 0 {
		for n := len(answerBegins) - 1; n >= 2; n-- {
			if bytes.HasSuffix(p, []byte(answerBegins[:n])) {
				k.held = append(k.held, p[len(p)-n:]...)
				return len(p) - n
			}
		}
		return len(p)
	}
	text := p[at+len(answerBegins):]
	end := bytes.IndexAny(text, "\a\x1b")
	if end < 0 || text[end] == '\x1b' && end+1 == len(text) {
		if len(text) > answerLongest-len(answerBegins) {
			k.done = true // no answer is that long; it is not keys either
		} else {
			k.held = append(k.held, p[at:]...)
		}
		return at
	}
	k.done = true
	k.answered(string(text[:end]))
	rest := text[end+1:]
	if text[end] == '\x1b' {
		rest = bytes.TrimPrefix(rest, []byte(`\`))
	}
	return at + copy(p[at:], rest)
}
