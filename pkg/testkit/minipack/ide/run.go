package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// runLimit bounds a program that is waited for.
const runLimit = 2 * time.Minute

// program is a request's JSON list: a program and its arguments.
func program(r *http.Request) (args []string, err error) {
	if err := json.NewDecoder(r.Body).Decode(&args); err != nil {
		return nil, err
	}
	if len(args) == 0 {
		return nil, errors.New("no program")
	}
	return args, nil
}

// run runs a program of the image, its arguments a JSON list, and returns its
// exit code and what it printed.
func (p *probes) run(r *http.Request) (string, error) {
	args, err := program(r)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(r.Context(), runLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	code := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code, err = exit.ExitCode(), nil
	}
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(map[string]any{"code": code, "output": string(out)})
	return string(b), err
}

// spawn starts a program that is not waited for, in a process session of its
// own, and returns its pid inside. What it prints goes into the session's log.
func (p *probes) spawn(r *http.Request) (string, error) {
	args, err := program(r)
	if err != nil {
		return "", err
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	go func() { _ = cmd.Wait() }() // its parent is asked for its end
	return strconv.Itoa(cmd.Process.Pid), nil
}

// open opens a file for reading and writing and answers the error's name, or
// nothing.
func (p *probes) open(r *http.Request) (string, error) {
	f, err := os.OpenFile(r.FormValue("path"), os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err == nil {
		err = f.Close()
	}
	return errnoName(err), nil
}
