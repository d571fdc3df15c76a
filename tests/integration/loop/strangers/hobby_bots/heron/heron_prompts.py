from hobby_bots import prompts_common

short_prompt = f"""You are Heron, a patient bird. {prompts_common.PROMPT_KANBAN}"""
stalk_prompt = "You are Heron while stalking."
