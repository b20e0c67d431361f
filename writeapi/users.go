package writeapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"daybook/commands"
	"daybook/domain/user"
	"daybook/internal/httpapi"
)

type registerBody struct {
	Email       string   `json:"email" minLength:"3" maxLength:"254"`
	Password    string   `json:"password" minLength:"10" maxLength:"256" writeOnly:"true"`
	FirstName   string   `json:"firstName" minLength:"1" maxLength:"100"`
	LastName    string   `json:"lastName" minLength:"1" maxLength:"100"`
	PhoneNumber string   `json:"phoneNumber,omitempty" maxLength:"40" doc:"with country code, such as +49 30 123456"`
	Consents    []string `json:"consents,omitempty" maxItems:"20" doc:"purposes agreed to, such as marketing"`
}

type loginBody struct {
	Email    string `json:"email" minLength:"1" maxLength:"254"`
	Password string `json:"password" minLength:"1" maxLength:"256" writeOnly:"true"`
}

type tokensBody struct {
	UserID      string `json:"userId"`
	AccessToken string `json:"accessToken" doc:"for Authorization: Bearer"`
	ExpiresIn   int    `json:"expiresIn" doc:"in seconds"`
}

func (w *writes) users(api *httpapi.API) {
	register := huma.Operation{
		OperationID: "register-user", Method: http.MethodPost, Path: "/users/register", Tags: []string{"People"},
		Summary: "Make an account", DefaultStatus: http.StatusCreated, Errors: []int{http.StatusConflict},
	}
	httpapi.Handle(api, register, func(ctx context.Context, in *struct {
		Keyed
		Body registerBody
	}) (*answer[tokensBody], error) {
		public := in.Body
		public.Password = "" // checked against the account by the command, and kept nowhere
		c, err := caller(ctx, &register, in.Keyed, public)
		if err != nil {
			return nil, err
		}
		b := in.Body
		consents := make([]user.Consent, len(b.Consents))
		for i, consent := range b.Consents {
			consents[i] = user.Consent(consent)
		}
		r, err := w.app.RegisterUser(ctx, c, commands.RegisterUser{
			Email: b.Email, Password: b.Password, FirstName: b.FirstName, LastName: b.LastName,
			Phone: b.PhoneNumber, Consents: consents,
		})
		return w.tokensFor(r, err)
	})

	login := huma.Operation{
		OperationID: "log-in", Method: http.MethodPost, Path: "/users/login", Tags: []string{"People"},
		Summary: "Log in with e-mail address and password", Errors: []int{http.StatusUnauthorized},
	}
	httpapi.Handle(api, login, func(ctx context.Context, in *struct{ Body loginBody }) (*answer[tokensBody], error) {
		r, err := w.app.LogIn(ctx, commands.Caller{RequestID: httpapi.RequestID(ctx)}, commands.LogIn{
			Email: in.Body.Email, Password: in.Body.Password,
		})
		return w.tokensFor(r, err)
	})
}

func (w *writes) tokensFor(r commands.Receipt[user.State], err error) (*answer[tokensBody], error) {
	if err != nil {
		return nil, refused(err)
	}
	token, lifetime, err := w.tokens.Access(string(r.State.ID))
	if err != nil {
		return nil, err
	}
	return &answer[tokensBody]{wrote(r.Position, r.Replayed), tokensBody{
		UserID: string(r.State.ID), AccessToken: token, ExpiresIn: int(lifetime.Seconds()),
	}}, nil
}
