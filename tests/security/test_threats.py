"""What may be done to a run and to who watches it, and the tests that show that it cannot: each named here is there."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parents[1]

THREATS: Final = {
    "another user commands the run": [
        "security/test_other_users.py::test_another_user_reaches_no_socket_no_key_and_no_file_of_a_default_install",
        "flow/test_sources.py::test_the_viewers_key_may_look_and_not_command",
        "security/test_door.py::test_no_key_but_the_operators_commands",
    ],
    "keys or secrets are shown or written": [
        "security/test_secrets.py::test_keys_are_in_the_keys_file_alone_and_secrets_of_the_script_nowhere",
        "agent/test_runtime.py::test_keys_are_new_each_time_and_never_shown",
        "tui/test_app.py::test_a_failure_elsewhere_shows_no_locals",
        "agent/test_stacks.py::test_no_value_of_a_variable_is_recorded",
        "flow/test_remote.py::test_commands_go_through_their_life_comes_back_and_no_key_crosses_the_link",
    ],
    "somebody else has prepared the directory that we will use": [
        "security/test_other_users.py::test_no_recording_is_made_in_a_directory_somebody_else_has_prepared",
        "security/test_other_users.py::test_no_socket_is_made_and_no_key_read_in_one",
        "agent/test_runtime.py::test_a_link_where_the_keys_shall_stand_is_replaced_not_followed",
        "tui/test_places.py::test_keys_that_somebody_else_may_have_put_there_are_not_used",
    ],
    "somebody takes the place of the hub": [
        "security/test_door.py::test_whoever_takes_the_place_of_the_hub_hears_nothing_from_those_who_know_its_key",
        "agent/test_runtime.py::test_two_runs_share_the_directory_and_one_run_cannot_be_opened_twice",
    ],
    "an old command reaches another run": [
        "security/test_door.py::test_a_command_typed_at_a_dead_run_is_not_delivered_to_the_next_one_at_its_place",
        "security/test_door.py::test_viewers_keep_nothing_for_a_run_that_is_not_there",
        "flow/test_sources.py::test_a_command_while_the_hub_is_away_is_refused_in_words_and_never_delivered_later",
        "flow/test_control.py::test_a_command_that_lay_in_a_stopped_hub_for_too_long_is_expired_when_it_wakes",
        "agent/test_hub_desk.py::test_a_command_for_another_run_is_sent_back",
        "flow/test_remote.py::test_a_command_that_lay_in_a_link_for_too_long_is_expired_where_it_arrives",
    ],
    "nobody checks the keys": [
        "security/test_door.py::test_with_nobody_to_check_keys_the_door_is_shut_to_the_right_ones_too",
        "security/test_door.py::test_wrong_keys_open_nothing",
    ],
    "bytes from outside are carried out": [
        "test_house.py::test_nothing_is_unpickled_evaluated_or_loaded_as_a_checkpoint",
        "test_house.py::test_the_one_file_that_loads_checkpoints_loads_nothing_but_weights",
    ],
    "bytes from outside eat time or memory": [
        "fuzz/test_bounds.py::test_no_frame_of_a_mebibyte_costs_much_more_than_an_honest_one",
        "fuzz/test_bounds.py::test_no_frame_of_a_mebibyte_takes_much_memory",
        "fuzz/test_fuzz.py::test_no_input_of_the_corpus_and_none_like_it_raises_anything_undocumented",
        "protocol/test_runlog.py::test_a_payload_that_swells_is_refused_in_bounded_time_and_memory",
        "protocol/test_sanitise.py::test_ten_megabytes_cost_what_a_hundred_kilobytes_do",
    ],
    "a name takes the terminal over": [
        "security/test_hostile_screens.py::test_whatever_a_run_is_called_and_says_no_byte_of_it_is_obeyed",
        "security/test_hostile_texts.py::test_no_text_a_verb_prints_is_obeyed",
        "tui/test_remote_place.py::test_what_ended_a_link_is_one_sentence_and_none_of_it_is_obeyed",
        "protocol/test_sanitise.py::test_no_code_point_of_unicode_gets_through_unseen",
        "tui/test_app.py::test_hostile_texts_are_shown_as_written_on_every_screen",
    ],
    "a name is markup": ["tui/test_app.py::test_no_widget_parses_markup"],
    "a recording of somebody else harms who opens it": [
        "fuzz/test_fuzz.py::test_no_input_of_the_corpus_and_none_like_it_raises_anything_undocumented",
        "tui/test_importing.py::test_an_id_that_somebody_wrote_into_a_file_leads_nowhere_else",
    ],
    "a tunnel leads to the wrong hub": [
        "security/test_door.py::test_wrong_keys_open_nothing",
        "flow/test_remote.py::test_a_tunnel_that_leads_elsewhere_gives_nothing_and_takes_no_command",
    ],
    "the name of a machine or of its run becomes a command": [
        "tui/test_remote_place.py::test_what_is_no_name_of_a_machine_starts_nothing",
        "tui/test_remote_place.py::test_ssh_is_started_from_a_list_of_words_and_its_shell_gives_each_back",
    ],
    "secrets of a configuration are recorded": [
        "security/test_secrets.py::test_what_was_redacted_is_said_to_be",
        "agent/test_redact.py::test_a_name_that_tells_of_a_secret_has_its_value_taken_out",
    ],
    "a command names a path": [
        "security/test_commands.py::test_wherever_a_command_points_the_checkpoint_is_written_where_the_training_decides"
    ],
}


@pytest.mark.parametrize("threat", THREATS)
def test_each_threat_has_its_tests(threat: str) -> None:
    for test in THREATS[threat]:
        path, _, name = test.partition("::")
        functions = [
            node for node in ast.walk(ast.parse((TESTS / path).read_text())) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        assert name in [function.name for function in functions], test
