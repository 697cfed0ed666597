package httpapi

import (
	"context"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
)

type usersInput struct{ Paging }

func (s *Server) users(ctx context.Context, a auth.Actor, _ *usersInput, limit int, after string) ([]api.User, string, error) {
	list, err := s.Accounts.ListUsers(ctx, a, after, limit+1) // one more tells whether another page follows
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(list) > limit {
		list = list[:limit]
		next = list[limit-1].ID
	}
	out := make([]api.User, len(list))
	for i, u := range list {
		out[i] = wireUser(u)
	}
	return out, next, nil
}

func wireUser(u account.User) api.User {
	return api.User{UserID: u.ID, Email: u.Email, UnixName: u.UnixName, Name: u.Name, Role: string(u.Role),
		Disabled: u.Disabled, SessionLimit: u.SessionLimit, CreatedAt: u.CreatedAt.UTC()}
}

// UserRef is the input of every route on one account. Exported because Huma
// skips embedded types that are not.
type UserRef struct {
	Ref string `path:"ref" maxLength:"254" doc:"The account's id, email address or Unix name."`
}

func (s *Server) user(ctx context.Context, a auth.Actor, in *UserRef) (api.User, error) {
	u, err := s.Accounts.FindUser(ctx, a, in.Ref)
	if err != nil {
		return api.User{}, err
	}
	return wireUser(u), nil
}

type createUserInput struct {
	Body api.UserCreate
}

func (s *Server) createUser(ctx context.Context, a auth.Actor, in *createUserInput) (api.UserChanged, error) {
	b := in.Body
	u, password, err := s.Accounts.CreateUser(ctx, a, account.UserSpec{
		Email: b.Email, UnixName: b.UnixName, Name: b.Name, Role: auth.Role(b.Role),
		SessionLimit: b.SessionLimit, Password: b.Password,
	})
	if err != nil {
		return api.UserChanged{}, err
	}
	return api.UserChanged{User: wireUser(u), Password: password}, nil
}

type setUserInput struct {
	UserRef
	Body api.UserChange
}

func (s *Server) setUser(ctx context.Context, a auth.Actor, in *setUserInput) (api.UserChanged, error) {
	u, err := s.Accounts.FindUser(ctx, a, in.Ref)
	if err != nil {
		return api.UserChanged{}, err
	}
	b := in.Body
	u, password, err := s.Accounts.SetUser(ctx, a, u.ID, account.UserChange{
		Role: (*auth.Role)(b.Role), SessionLimit: b.SessionLimit, Disabled: b.Disabled, Name: b.Name,
		Email: b.Email, UnixName: b.UnixName, MoveUnixName: b.MoveUnixName, ResetPassword: b.ResetPassword,
	})
	if err != nil {
		return api.UserChanged{}, err
	}
	return api.UserChanged{User: wireUser(u), Password: password}, nil
}
