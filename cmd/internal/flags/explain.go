package flags

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/pflag"
)

// Explain returns why a flag refused a value, without pflag's words around it and
// without those of package strconv, which pflag's own types use.
func Explain(err error) error {
	invalid, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	if !errors.As(err, new(*strconv.NumError)) {
		return invalid.Unwrap()
	}
	switch f := invalid.GetFlag(); f.Value.Type() {
	case "bool":
		return fmt.Errorf("%q is neither true nor false: write --%s or --%s=false", invalid.GetValue(), f.Name, f.Name)
	case "uint64":
		return fmt.Errorf("%q is not a whole number from 0", invalid.GetValue())
	}
	return fmt.Errorf("%q is not a whole number", invalid.GetValue())
}
