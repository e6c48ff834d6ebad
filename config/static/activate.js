// Takes the code of a letter's QR code, which follows # in the address and so reached no server, into the form, and out
// of the address.
const code = decodeURIComponent(location.hash.slice(1));
const field = document.getElementById("id_code");
if (code && field && !field.value) {
  field.value = code.replace(/(.{4})(?=.)/g, "$1 ");
  history.replaceState(null, "", location.pathname);
  document.getElementById("id_birth_date").focus();
}
