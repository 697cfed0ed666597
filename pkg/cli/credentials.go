package cli

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/medforge/medforge/pkg/config"
)

// credentials are the person's sign-ins on MedForges elsewhere. They stand in a
// file of their own, which nobody else may read.
type credentials struct {
	path string
	// Current is the server that commands talk to when nothing else is said:
	// the one that was signed in to last.
	Current string            `json:"current,omitempty"`
	Servers map[string]signIn `json:"servers"`
}

// signIn is a token and whose it is.
type signIn struct {
	Token string `json:"token"`
	Email string `json:"email,omitempty"`
}

// loadCredentials reads the file; without one there are none. A file that
// others may read is refused, since what is in it is then known.
func loadCredentials(environ []string) (credentials, error) {
	c := credentials{Servers: map[string]signIn{}}
	beside := config.ClientPath(environ)
	if beside == "" {
		return c, nil
	}
	c.path = filepath.Join(filepath.Dir(beside), "credentials.json")
	info, err := os.Stat(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, usage("%v", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return c, usage("Others may read %s, and there are tokens in it. Revoke them (medforge token list), then: chmod 600 %s", c.path, c.path)
	}
	raw, err := os.ReadFile(c.path)
	if err != nil {
		return c, usage("%v", err)
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, usage("%s cannot be read: %v. Remove it and sign in again: medforge login URL", c.path, err)
	}
	if c.Servers == nil {
		c.Servers = map[string]signIn{}
	}
	return c, nil
}

// save writes the file whole or not at all.
func (c credentials) save() error {
	if c.path == "" {
		return usage("There is no home folder to keep the sign-in in. Set HOME or XDG_CONFIG_HOME.")
	}
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(c.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".credentials-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename there is nothing of that name
	_, err = f.Write(append(raw, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), c.path)
}

// keep stores a sign-in and makes its server the one that commands talk to.
func (c credentials) keep(server, token, email string) error {
	c.Current, c.Servers[server] = server, signIn{Token: token, Email: email}
	return c.save()
}

// drop forgets a sign-in.
func (c credentials) drop(server string) error {
	delete(c.Servers, server)
	if c.Current == server {
		c.Current = ""
	}
	return c.save()
}
