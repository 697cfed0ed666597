package certs

import (
	"context"
	"log/slog"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// toZap has certmagic, which logs with zap, write to the daemon's log.
func toZap(l *slog.Logger) *zap.Logger { return zap.New(core{l.With("part", "acme")}) }

type core struct{ l *slog.Logger }

func level(l zapcore.Level) slog.Level {
	switch {
	case l <= zapcore.DebugLevel:
		return slog.LevelDebug
	case l == zapcore.InfoLevel:
		return slog.LevelInfo
	case l == zapcore.WarnLevel:
		return slog.LevelWarn
	}
	return slog.LevelError
}

// Enabled is zapcore.LevelEnabler.
func (c core) Enabled(l zapcore.Level) bool { return c.l.Enabled(context.Background(), level(l)) }

// With is zapcore.Core.
func (c core) With(fields []zapcore.Field) zapcore.Core { return core{c.l.With(attrs(fields)...)} }

// Check is zapcore.Core.
func (c core) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

// Write is zapcore.Core.
func (c core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	c.l.Log(context.Background(), level(e.Level), e.Message, attrs(fields)...)
	return nil
}

// Sync is zapcore.Core.
func (c core) Sync() error { return nil }

func attrs(fields []zapcore.Field) (all []any) {
	m := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(m)
	}
	for name, value := range m.Fields {
		all = append(all, slog.Any(name, value))
	}
	return all
}
